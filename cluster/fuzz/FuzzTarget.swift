// Fuzzing target of cluster/fuzz.sh; compiled together with Sources/Protocol.

/// The first byte chooses how the rest is used: as a connection's bytes, a bare payload, or a manifest.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    guard let choice = input.first else { return 0 }
    let rest = Array(input.dropFirst())
    switch choice % 3 {
    case 0: fuzzStream(rest)
    case 1: fuzzPayload(rest)
    default: fuzzManifest(rest)
    }
    return 0
}

/// Frames as they come, in two pieces; the checksum is put right, which chance would never do.
private func fuzzStream(_ bytes: [UInt8]) {
    var bytes = bytes
    if bytes.count >= 16 {
        let length = bytes.withUnsafeBytes { Int($0.loadUnaligned(as: UInt32.self)) }
        if length <= bytes.count - 16 {
            var checksum = CRC32C()
            bytes.withUnsafeBytes {
                checksum.update(UnsafeRawBufferPointer(rebasing: $0[..<12]))
                checksum.update(UnsafeRawBufferPointer(rebasing: $0[16..<16 + length]))
            }
            for index in 0..<4 { bytes[12 + index] = UInt8(truncatingIfNeeded: checksum.value >> UInt32(8 * index)) }
        }
    }
    var decoder = FrameDecoder(frameBytesMax: Limits.frameBytesMax, magicAwaited: false)
    do {
        for part in [bytes[..<(bytes.count / 2)], bytes[(bytes.count / 2)...]] {
            decoder.append(Array(part))
            while let frame = try decoder.next() { check(frame) }
        }
    } catch {}
}

private func fuzzPayload(_ bytes: [UInt8]) {
    guard bytes.count >= 1 else { return }
    let types = MessageType.allCases
    let type = types[Int(bytes[0]) % types.count]
    check(Frame(type: type.rawValue, requestID: 1, payload: Array(bytes.dropFirst())))
}

/// What decodes encodes again to the same bytes.
private func check(_ frame: Frame) {
    guard let (requestID, message) = try? MessageCoding.decode(frame) else { return }
    // Of a foreign version's hello only the first fields are read.
    if case .hello(let hello) = message, hello.versionMin > 1 || hello.versionMax < 1 { return }
    guard let again = try? MessageCoding.encode(message, requestID: requestID) else {
        fatalError("\(message.type) was decoded and does not encode")
    }
    precondition(Array(again.dropFirst(16)) == frame.payload, "\(message.type) encodes differently")
}

private func fuzzManifest(_ bytes: [UInt8]) {
    guard let volumes = try? VolumeManifest.decode(bytes) else { return }
    guard let again = try? VolumeManifest.encode(volumes) else { fatalError("a manifest does not encode") }
    precondition(again == bytes, "a manifest encodes differently")
}
