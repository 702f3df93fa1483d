import Testing
import quintet

/// TensorBoard's own package wrote the bytes that are expected here.
@Suite struct EventFileTests {
    private static let head = "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9"
    private static let three = "3d000000000000006049f1ec0900006040fc54d94110012a300a0b0a0464696365150000003f0a14"
        + "0a0d6c6561726e696e675f72617465156f12833a0a0b0a046c6f7373150000a03f7df701cb"
    private static let one = "1b000000000000001a0d9e13090000a040fc54d94110ac022a0d0a0b0a046c6f7373159a99993e141f0c04"

    private func text(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func whole(_ bytes: [UInt8]) -> [Int?] {
        let (byteCount, lastStep) = EventFile.whole(bytes)
        return [byteCount, lastStep]
    }

    /// A checksum that is not masked, a length of four bytes, fields in another order or by another number.
    @Test func recordsAreThoseOfTheTensorBoardPackage() {
        #expect(text(EventFile.head(wallSeconds: 1_700_000_000.25)) == Self.head)
        let figures = [("dice", 0.5), ("learning_rate", 0.001), ("loss", 1.25)].map { (tag: $0.0, value: $0.1) }
        #expect(text(EventFile.scalars(figures, step: 1, wallSeconds: 1_700_000_001.5)) == Self.three)
        #expect(text(EventFile.scalars([("loss", 0.3)], step: 300, wallSeconds: 1_700_000_002.5)) == Self.one)
    }

    /// What is no number has no point; the others of its iteration have theirs.
    @Test func whatIsNoNumberIsLeftOut() {
        let figures = [("dice", Double.nan), ("loss", 0.3)].map { (tag: $0.0, value: $0.1) }
        #expect(text(EventFile.scalars(figures, step: 300, wallSeconds: 1_700_000_002.5)) == Self.one)
    }

    /// A crash may cut a file anywhere, and a disk may turn a bit: what is whole before that place counts.
    @Test func aCutFileGoesOnBehindItsLastWholeRecord() {
        let head = EventFile.head(wallSeconds: 1)
        let first = EventFile.scalars([("loss", 1)], step: 1, wallSeconds: 2)
        let second = EventFile.scalars([("loss", 2)], step: 300, wallSeconds: 3)
        let all = head + first + second
        #expect(whole(all) == [all.count, 300])
        for cut in 1..<second.count {
            #expect(whole(Array(all.dropLast(cut))) == [head.count + first.count, 1])
        }
        #expect(whole(Array(all.prefix(head.count - 1))) == [0, nil])
        for place in [0, 9, 20, first.count - 2] {
            var damaged = all
            damaged[head.count + place] ^= 4
            #expect(whole(damaged) == [head.count, nil])
        }
    }
}
