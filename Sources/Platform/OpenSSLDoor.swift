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

// MARK: - TLS

/// What is the same for all TLS sessions of one listener or one dialled connection.
final class TLSContext {
    fileprivate let context: OpaquePointer
    private let isServer: Bool
    /// Read by the callbacks, in the order of the tokens; the dialling side has one.
    fileprivate let keys: [(identity: [UInt8], key: [UInt8])]
    /// The first identity again, at an address that OpenSSL may keep.
    fileprivate let identityBytes: UnsafeMutableBufferPointer<UInt8>

    /// The two cipher suites of TLS 1.3 whose hash fits a key made for SHA-256.
    private static let cipherSuites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"

    init(tokens: [ClusterToken], isServer: Bool) {
        precondition(!tokens.isEmpty, "TLS with pre-shared keys needs a key")
        guard let context = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            preconditionFailure("OpenSSL has no TLS")
        }
        self.context = context
        self.isServer = isServer
        keys = tokens.map { (Array($0.identity.utf8), $0.key) }
        identityBytes = .allocate(capacity: keys[0].identity.count)
        _ = identityBytes.initialize(from: keys[0].identity)
        // These two are macros in C.
        let version = Int(TLS1_3_VERSION)
        precondition(
            SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, version, nil) == 1
                && SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, version, nil) == 1
                && SSL_CTX_set_ciphersuites(context, Self.cipherSuites) == 1
                && SSL_CTX_set_num_tickets(context, 0) == 1,
            "OpenSSL refuses TLS 1.3")
        // The dialler takes no certificate: a server that does not know the key cannot come in through one. The
        // listener never asks for any.
        SSL_CTX_set_verify(context, isServer ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nil)
        SSL_CTX_set_ex_data(context, 0, Unmanaged.passUnretained(self).toOpaque())
        if isServer {
            SSL_CTX_set_psk_find_session_callback(context, findSession)
        } else {
            SSL_CTX_set_psk_use_session_callback(context, useSession)
        }
    }

    deinit {
        SSL_CTX_free(context)
        identityBytes.deallocate()
    }

    func makeSession() -> TLSSession { TLSSession(self, isServer: isServer) }

    fileprivate static func of(_ session: OpaquePointer?) -> TLSContext {
        Unmanaged<TLSContext>.fromOpaque(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), 0)).takeUnretainedValue()
    }
}

/// A session that stands for the key, as OpenSSL wants it; nil when it has no memory.
private func session(for key: [UInt8], _ connection: OpaquePointer?) -> OpaquePointer? {
    // TLS_AES_128_GCM_SHA256; it says the key's hash, not the cipher that will be chosen.
    let suite: [UInt8] = [0x13, 0x01]
    guard let made = SSL_SESSION_new() else { return nil }
    guard let cipher = SSL_CIPHER_find(connection, suite),
        SSL_SESSION_set1_master_key(made, key, key.count) == 1, SSL_SESSION_set_cipher(made, cipher) == 1,
        SSL_SESSION_set_protocol_version(made, TLS1_3_VERSION) == 1
    else {
        SSL_SESSION_free(made)
        return nil
    }
    return made
}

/// Listening side: the key of the identity that the peer shows. Without one the handshake goes on and fails for want
/// of a certificate, which tells the peer no more than that.
private func findSession(
    _ connection: OpaquePointer?, _ identity: UnsafePointer<UInt8>?, _ identityCount: Int,
    _ found: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    let shown = UnsafeBufferPointer(start: identity, count: identityCount)
    let key = TLSContext.of(connection).keys.first { $0.identity.elementsEqual(shown) }?.key
    found?.pointee = key.flatMap { session(for: $0, connection) }
    return 1
}

/// Dialling side: the first key and its identity. OpenSSL reads the identity after the callback has returned, so it
/// lies where the context keeps it. Whatever hash OpenSSL asks for, all our suites have SHA-256.
private func useSession(
    _ connection: OpaquePointer?, _ digest: OpaquePointer?,
    _ identity: UnsafeMutablePointer<UnsafePointer<UInt8>?>?, _ identityCount: UnsafeMutablePointer<Int>?,
    _ found: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    let context = TLSContext.of(connection)
    found?.pointee = nil
    identity?.pointee = nil
    identityCount?.pointee = 0
    guard let made = session(for: context.keys[0].key, connection) else { return 0 }
    found?.pointee = made
    identity?.pointee = UnsafePointer(context.identityBytes.baseAddress)
    identityCount?.pointee = context.identityBytes.count
    return 1
}

/// One TLS session between two memory buffers: the loop carries the bytes.
final class TLSSession {
    enum Progress {
        case done
        /// More bytes of the peer are needed.
        case later
        case failed(String)
    }

    enum Reading {
        case bytes(Int)
        case later
        case ended
        case failed(String)
    }

    private let context: TLSContext
    private let isServer: Bool
    private let session: OpaquePointer
    /// Owned by the session: what came from the socket, and what is to go there.
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    fileprivate init(_ context: TLSContext, isServer: Bool) {
        guard let session = SSL_new(context.context), let incoming = BIO_new(BIO_s_mem()),
            let outgoing = BIO_new(BIO_s_mem())
        else { preconditionFailure("OpenSSL has no memory for a session") }
        (self.context, self.isServer, self.session) = (context, isServer, session)
        (self.incoming, self.outgoing) = (incoming, outgoing)
        SSL_set_bio(session, incoming, outgoing)
        if isServer { SSL_set_accept_state(session) } else { SSL_set_connect_state(session) }
    }

    deinit { SSL_free(session) }

    /// Bytes from the socket.
    func feed(_ bytes: UnsafeRawBufferPointer) {
        let count = BIO_write(incoming, bytes.baseAddress, Int32(bytes.count))
        precondition(count == bytes.count, "OpenSSL has no memory")
    }

    /// Bytes for the socket.
    func takeOutgoing(into queue: inout ByteQueue) {
        let count = BIO_ctrl_pending(outgoing)
        guard count > 0 else { return }
        queue.append(
            [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                initialized = Int(max(0, BIO_read(outgoing, buffer.baseAddress, Int32(count))))
            })
    }

    func handshake() -> Progress {
        ERR_clear_error()
        let result = SSL_do_handshake(session)
        if result == 1 {
            // Both hold by construction; a connection without them must never count as the cluster's.
            guard SSL_version(session) == TLS1_3_VERSION, SSL_session_reused(session) == 1 else {
                return .failed("the peer has not shown the cluster's token")
            }
            return .done
        }
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .later
        default: return .failed(handshakeFailure())
        }
    }

    /// - Parameter buffer: not empty.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Reading {
        ERR_clear_error()
        let count = SSL_read(session, buffer.baseAddress, Int32(clamping: buffer.count))
        if count > 0 { return .bytes(Int(count)) }
        switch SSL_get_error(session, count) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .later
        case SSL_ERROR_ZERO_RETURN: return .ended
        default: return .failed("a TLS error: \(lastError().text)")
        }
    }

    /// Encrypts all of it into the outgoing bytes. Only after the handshake.
    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !bytes.isEmpty else { return true }
        ERR_clear_error()
        return SSL_write(session, bytes.baseAddress, Int32(bytes.count)) == bytes.count
    }

    /// Says that nothing more follows.
    func finish() { SSL_shutdown(session) }

    private func lastError() -> (reason: Int32, text: String) {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        let text = ERR_reason_error_string(code).map { String(cString: $0) } ?? "unknown"
        return (ERR_GET_REASON(code), text)
    }

    private func handshakeFailure() -> String {
        let error = lastError()
        switch error.reason {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_PACKET_LENGTH_TOO_LONG,
            SSL_R_BAD_RECORD_TYPE, SSL_R_HTTPS_PROXY_REQUEST:
            return isServer
                ? "the peer does not speak TLS 1.3 (\(error.text)); start it with --token-file and the cluster's token"
                : "the peer does not speak TLS 1.3 (\(error.text)), so it has no token: start the coordinator with "
                    + "--token-file FILE, or leave the token out here"
        default:
            return isServer
                ? "the peer has not shown a token of this cluster (\(error.text))"
                : "the peer does not know our token (\(error.text)); copy the coordinator's token file to this machine"
        }
    }
}
