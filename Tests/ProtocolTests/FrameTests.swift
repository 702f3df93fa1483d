import Protocol
import Testing

@Suite struct FrameTests {
    @Test func checksumIsCRC32C() {
        // RFC 3720, B.4, and the check value of the catalogues.
        #expect(CRC32C.checksum(of: Array("123456789".utf8)) == 0xE306_9283)
        #expect(CRC32C.checksum(of: [UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum(of: [UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum(of: (0..<32).map { UInt8($0) }) == 0x46DD_794E)
        #expect(CRC32C.checksum(of: []) == 0)
    }

    @Test func checksumOfPiecesIsThatOfTheWhole() {
        var random = TestRandom(seed: 1)
        let bytes = (0..<1000).map { _ in UInt8.random(in: 0...255, using: &random) }
        for cut in 0...bytes.count {
            var checksum = CRC32C()
            bytes[..<cut].withUnsafeBytes { checksum.update($0) }
            bytes[cut...].withUnsafeBytes { checksum.update($0) }
            #expect(checksum.value == CRC32C.checksum(of: bytes))
        }
    }

    /// All samples as one connection's bytes.
    private func transcript() throws -> [UInt8] {
        var bytes = FrameEncoder.magic
        for (message, requestID) in Samples.all { bytes += try MessageCoding.encode(message, requestID: requestID) }
        return bytes
    }

    private func messages(in decoder: inout FrameDecoder) throws -> [Message] {
        var messages: [Message] = []
        while let frame = try decoder.next() { messages.append(try MessageCoding.decode(frame).message) }
        return messages
    }

    @Test func aTranscriptDecodesHoweverItIsCut() throws {
        let bytes = try transcript(), expected = Samples.all.map(\.message)
        var random = TestRandom(seed: 2)
        for pieceMax in [1, 2, 3, 17, 100, bytes.count] {
            var decoder = FrameDecoder()
            var found: [Message] = [], position = 0
            while position < bytes.count {
                let end = min(bytes.count, position + Int.random(in: 1...pieceMax, using: &random))
                decoder.append(Array(bytes[position..<end]))
                found += try messages(in: &decoder)
                position = end
            }
            #expect(found == expected)
            #expect(!decoder.isInsideFrame)
        }
    }

    @Test func everyFlippedByteOfAFrameIsFound() throws {
        for (message, requestID) in Samples.all {
            let frame = try MessageCoding.encode(message, requestID: requestID)
            for position in frame.indices {
                for mask in [UInt8(1), 0x80, 0xFF] {
                    var damaged = frame
                    damaged[position] ^= mask
                    var decoder = FrameDecoder(frameBytesMax: Limits.frameBytesMax, magicAwaited: false)
                    decoder.append(damaged)
                    // Nothing may come out. Where the length grew, the decoder waits until the frame's time is up.
                    do {
                        #expect(try decoder.next() == nil)
                        #expect(decoder.isInsideFrame)
                        #expect(position < 4)
                    } catch {}
                }
            }
        }
    }

    @Test func aTruncatedFrameIsNeverDelivered() throws {
        for (message, requestID) in Samples.all {
            let frame = try MessageCoding.encode(message, requestID: requestID)
            for count in 0..<frame.count {
                var decoder = FrameDecoder(magicAwaited: false)
                decoder.append(Array(frame[..<count]))
                #expect(try decoder.next() == nil)
                #expect(decoder.isInsideFrame == (count > 0))
            }
        }
    }

    @Test func anotherProgramIsToldApartByItsFirstByte() {
        for greeting in ["GET / HTTP/1.1\r\n", "SSH-2.0", "\u{16}\u{3}\u{1}", "QNTX"] {
            var decoder = FrameDecoder()
            decoder.append(Array(greeting.utf8))
            #expect(throws: ProtocolError.foreignProtocol) { try decoder.next() }
        }
    }

    @Test func aHostileLengthIsRefusedWithItsFourBytes() throws {
        for (length, limit) in [
            (UInt32(4081), 4096), (.max, 4096), (.max - 15, 1 << 20), (1 << 31, 1 << 20), (1 << 20 - 15, 1 << 20),
        ] {
            var decoder = FrameDecoder(frameBytesMax: limit, magicAwaited: false)
            decoder.append(withUnsafeBytes(of: length.littleEndian) { Array($0) })
            #expect(throws: ProtocolError.frameTooLarge(byteCount: UInt64(length) + 16, limit: limit)) {
                try decoder.next()
            }
        }
    }

    @Test func theLimitRisesWithTheWelcome() throws {
        let put = Message.blobPut(Samples.digest, offset: 0, bytes: .init(repeating: 7, count: 5000))
        let frame = try MessageCoding.encode(put, requestID: 1)
        var early = FrameDecoder(magicAwaited: false)
        early.append(frame)
        #expect(throws: ProtocolError.self) { try early.next() }
        var welcomed = FrameDecoder(magicAwaited: false)
        welcomed.frameBytesMax = Limits.frameBytesMax
        welcomed.append(frame)
        #expect(try welcomed.next() != nil)
    }

    @Test func theFirstErrorIsFinal() throws {
        var frame = try MessageCoding.encode(.accepted, requestID: 1)
        frame[15] ^= 1
        var decoder = FrameDecoder(magicAwaited: false)
        decoder.append(frame)
        #expect(throws: ProtocolError.self) { try decoder.next() }
        decoder.append(try MessageCoding.encode(.accepted, requestID: 1))
        #expect(throws: ProtocolError.self) { try decoder.next() }
    }

    @Test func unknownFlagsAndTypesAreRefused() throws {
        let unknown = try FrameEncoder.encode(Frame(type: 999, requestID: 1, payload: []))
        var decoder = FrameDecoder(magicAwaited: false)
        decoder.append(unknown)
        let frame = try #require(try decoder.next())
        #expect(throws: ProtocolError.unknownType(999)) { try MessageCoding.decode(frame) }

        var flagged = unknown
        flagged[6] = 1
        let checksum = CRC32C.checksum(of: Array(flagged[..<12]))
        for index in 0..<4 { flagged[12 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index)) }
        decoder.append(flagged)
        #expect(throws: ProtocolError.unknownFlags(1)) { try decoder.next() }
    }
}
