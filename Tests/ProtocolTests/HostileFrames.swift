import Protocol

/// What a fuzzer's bytes do to the decoding of frames, messages and manifests. cluster/fuzz.sh calls it with new bytes,
/// CorpusTests with those of earlier runs. It must end, whatever the bytes.
enum HostileFrames {
    /// The first byte chooses how the rest is used: as a connection's bytes, a bare payload, or a manifest.
    static func take(_ input: [UInt8]) {
        guard let choice = input.first else { return }
        let rest = Array(input.dropFirst())
        switch choice % 3 {
        case 0: takeStream(rest)
        case 1: takePayload(rest)
        default: takeManifest(rest)
        }
    }

    /// Frames as they come, in two pieces; the first one's checksum is put right, which chance would never do.
    private static func takeStream(_ bytes: [UInt8]) {
        var bytes = bytes
        let header = Limits.frameHeaderBytes
        if bytes.count >= header {
            let length = bytes.withUnsafeBytes { Int($0.loadUnaligned(as: UInt32.self)) }
            if length <= bytes.count - header {
                var checksum = CRC32C()
                bytes.withUnsafeBytes {
                    checksum.update(UnsafeRawBufferPointer(rebasing: $0[..<12]))
                    checksum.update(UnsafeRawBufferPointer(rebasing: $0[header..<header + length]))
                }
                for index in 0..<4 {
                    bytes[12 + index] = UInt8(truncatingIfNeeded: checksum.value >> UInt32(8 * index))
                }
            }
        }
        var decoder = FrameDecoder(frameBytesMax: Limits.frameBytesMax, magicAwaited: false)
        do {
            for part in [bytes[..<(bytes.count / 2)], bytes[(bytes.count / 2)...]] {
                decoder.append(Array(part))
                while let frame = try decoder.next() { check(frame) }
            }
        } catch {
            // Once refused, a stream stays refused.
            precondition((try? decoder.next()) == nil, "a broken stream went on")
        }
    }

    private static func takePayload(_ bytes: [UInt8]) {
        guard bytes.count >= 1 else { return }
        let types = MessageType.allCases
        let type = types[Int(bytes[0]) % types.count]
        check(Frame(type: type.rawValue, requestID: 1, payload: Array(bytes.dropFirst())))
    }

    /// What decodes encodes again to the same bytes.
    private static func check(_ frame: Frame) {
        guard let (requestID, message) = try? MessageCoding.decode(frame) else { return }
        // Of a foreign version's hello only the first fields are read.
        let ours = VersionNegotiation.versionMin...VersionNegotiation.versionMax
        if case .hello(let hello) = message,
            hello.versionMin > hello.versionMax || !ours.overlaps(hello.versionMin...hello.versionMax)
        { return }
        guard let again = try? MessageCoding.encode(message, requestID: requestID) else {
            preconditionFailure("\(message.type) was decoded and does not encode")
        }
        precondition(Array(again.dropFirst(16)) == frame.payload, "\(message.type) encodes differently")
    }

    private static func takeManifest(_ bytes: [UInt8]) {
        guard let volumes = try? ItemManifest.decode(bytes) else { return }
        guard let again = try? ItemManifest.encode(volumes) else {
            preconditionFailure("a manifest does not encode")
        }
        precondition(again == bytes, "a manifest encodes differently")
    }
}
