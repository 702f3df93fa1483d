import Platform
import Protocol

/// Answers what peers ask about blobs. Runs on its own thread: a slow disk or a long sync holds up no heartbeat.
struct BlobDesk: Sendable {
    let blobs: BlobDirectory

    func answer(_ message: Message) -> Message {
        do {
            return try reply(to: message)
        } catch let error as BlobError {
            return .refusal(Refusal(code: Self.code(of: error), message: Texts.bounded("\(error)")))
        } catch let error as FileError {
            let code: RefusalCode = error.isDiskFull ? .diskFull : .internalError
            return .refusal(Refusal(code: code, message: Texts.bounded("coordinator: \(error)")))
        } catch {
            return .refusal(Refusal(code: .internalError, message: Texts.bounded("coordinator: \(error)")))
        }
    }

    private func reply(to message: Message) throws -> Message {
        switch message {
        case .blobGet(let digest, let offset, let byteCountMax):
            guard let byteCount = blobs.byteCount(of: digest.bytes) else {
                throw BlobError.missing(digest: "\(digest)")
            }
            let count = min(Int(byteCountMax), Limits.blobChunkBytesMax)
            let bytes = try blobs.read(digest.bytes, offset: offset, count: count)
            return .blobChunk(digest, offset: offset, byteCount: byteCount, bytes: bytes)
        case .blobOffer(let digest, let byteCount):
            return .blobOffset(digest, offset: try blobs.offer(digest.bytes, byteCount: byteCount))
        case .blobPut(let digest, let offset, let bytes):
            return .blobOffset(digest, offset: try blobs.append(digest.bytes, offset: offset, bytes: bytes))
        default: preconditionFailure("\(message.brief) is not about blobs")
        }
    }

    private static func code(of error: BlobError) -> RefusalCode {
        switch error {
        case .missing, .notOffered, .gap: return .unknown
        case .damaged, .changed: return .damaged
        case .wrongSize: return .malformed
        }
    }
}

/// Texts that go over the wire.
enum Texts {
    /// Cuts a message to what a refusal may hold, and takes control characters out.
    static func bounded(_ text: String, byteCountMax: Int = Limits.messageBytesMax) -> String {
        var clean = ""
        var byteCount = 0
        for scalar in text.unicodeScalars {
            let kept = scalar.value < 32 || scalar.value == 127 ? " " : scalar
            byteCount += UTF8.width(kept)
            if byteCount > byteCountMax { break }
            clean.unicodeScalars.append(kept)
        }
        return clean
    }
}
