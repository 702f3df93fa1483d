import Platform
import Protocol

/// Answers what peers ask about blobs. Runs on its own thread: a slow disk or a long sync holds up no heartbeat.
struct BlobDesk: Sendable {
    let blobs: BlobDirectory
    let sent: SentBlobs

    /// - Parameter sender: a worker that has to show that it has the bytes it offers (`SentBlobs`); nil for who may
    ///   name what is here without.
    func answer(_ message: Message, sender: WorkerName?) -> Message {
        do {
            return try sender.map { try reply(to: message, sender: $0) } ?? reply(to: message)
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

    /// The worker is led through all bytes, also through those that somebody else has sent or is sending just now: what
    /// is here already goes to its hash only.
    private func reply(to message: Message, sender: WorkerName) throws -> Message {
        switch message {
        case .blobOffer(let digest, let byteCount):
            let arrived = try blobs.offer(digest.bytes, byteCount: byteCount)
            return .blobOffset(digest, offset: min(arrived, sent.offset(sender, digest, byteCount: byteCount)))
        case .blobPut(let digest, let offset, let bytes):
            let taken = sent.take(sender, digest, offset: offset, bytes: bytes)
            // Without a gap: else as anybody who goes on with an upload.
            guard let taken, let present = blobs.byteCount(of: digest.bytes) else {
                let arrived = try blobs.append(digest.bytes, offset: offset, bytes: bytes)
                guard let taken else { return .blobOffset(digest, offset: arrived) }
                if blobs.byteCount(of: digest.bytes) == taken { _ = sent.end(sender, digest) }
                return .blobOffset(digest, offset: min(arrived, taken))
            }
            guard taken <= present else {
                _ = sent.end(sender, digest)
                throw BlobError.wrongSize(digest: "\(digest)", expected: present, found: taken)
            }
            guard taken < present || sent.end(sender, digest) else {
                throw BlobError.damaged(digest: "\(digest)", path: "what '\(sender)' sent")
            }
            return .blobOffset(digest, offset: taken)
        default: return try reply(to: message)
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
            let kept = isControl(scalar) ? " " : scalar
            byteCount += UTF8.width(kept)
            if byteCount > byteCountMax { break }
            clean.unicodeScalars.append(kept)
        }
        return clean
    }

    /// A line of the log, whoever's words are in it: one line.
    static func line(_ text: String) -> String { bounded(text, byteCountMax: .max) }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
