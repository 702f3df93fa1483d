// The only file that imports COpenSSL: hashing, random bytes and TLS for the rest of Platform.

import COpenSSL

/// A running SHA-256. Unchecked: `SHA256` changes it only while it is the one who refers to it.
final class DigestContext: @unchecked Sendable {
    private let context: OpaquePointer

    init() {
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            preconditionFailure("OpenSSL has no SHA-256")
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    func copy() -> DigestContext {
        let copy = DigestContext()
        precondition(EVP_MD_CTX_copy_ex(copy.context, context) == 1, "OpenSSL cannot copy a hash")
        return copy
    }

    func update(_ bytes: UnsafeRawBufferPointer) {
        precondition(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1, "OpenSSL cannot hash")
    }

    /// Ends this context.
    func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        precondition(EVP_DigestFinal_ex(context, &digest, nil) == 1, "OpenSSL cannot finish a hash")
        return digest
    }
}

/// Random bytes for keys; never for results, which come from the run's seed.
public enum SecureRandom {
    public static func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        precondition(RAND_bytes(&bytes, Int32(count)) == 1, "the system gives no random numbers")
        return bytes
    }
}
