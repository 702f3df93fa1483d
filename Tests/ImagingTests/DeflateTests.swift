import Foundation
import Imaging
import Numerics
import Testing

@Suite struct DeflateTests {
    /// Name and bytes: everything that takes another way through the compressor.
    static let inputs: [(String, [UInt8])] = {
        var random = RandomKey(seed: 3, purpose: .phantomNoise).stream()
        func bytes(_ count: Int, _ make: (Int) -> Int) -> [UInt8] { (0 ..< count).map { UInt8(make($0) & 255) } }
        // Fibonacci frequencies make the longest codes.
        var (fibonacci, pair) = ([UInt8](), (1, 1))
        for symbol in 0..<24 {
            fibonacci += [UInt8](repeating: UInt8(symbol * 7), count: pair.0)
            pair = (pair.1, pair.0 + pair.1)
        }
        for index in fibonacci.indices.reversed() { fibonacci.swapAt(index, random.index(below: index + 1)) }
        let noise = bytes(200_000) { _ in random.index(below: 256) }
        return [
            ("nothing", []), ("one byte", [7]), ("three bytes", [1, 2, 3]), ("text", Array("abcabcabcabcabcabd".utf8)),
            ("zeros beyond a piece", [UInt8](repeating: 0, count: 2_500_001)), ("noise, stored", noise),
            ("noise twice, beyond the window", noise + noise), ("Fibonacci", fibonacci),
            ("ramp", bytes(1_048_576) { $0 / 3 }), ("one byte beyond a piece", bytes(1_048_577) { $0 * $0 >> 9 }),
            ("sparse mask", bytes(3_000_000) { _ in random.index(below: 4000) == 0 ? 1 : 0 }),
            ("far repeats", bytes(400_000) { $0 % 32768 * 40503 >> 5 }),
        ]
    }()

    @Test func gunzipGivesBackEveryInput() throws {
        for (name, bytes) in Self.inputs {
            let packed = Deflate.gzip(bytes, pool: nil)
            #expect(try gunzipped(packed) == bytes, "\(name)")
            #expect(packed.count < bytes.count + bytes.count / 1000 + 64, "\(name): \(packed.count) of \(bytes.count)")
        }
    }

    @Test func anyNumberOfThreadsGivesTheSameBytes() {
        let bytes = Self.inputs.flatMap { $0.1 }
        let expected = Deflate.gzip(bytes, pool: nil)
        for count in [1, 2, 4] { #expect(Deflate.gzip(bytes, pool: ThreadPool(threadCount: count)) == expected) }
    }

    /// These numbers are part of what "the same bytes everywhere" means: they change only with a new format version.
    @Test func theBytesAreThoseOfEveryOtherMachine() {
        let mask = Mask(
            shape: VolumeShape(depth: 8, height: 60, width: 70), geometry: ImageSamples.geometry,
            voxels: (0 ..< 33600).map { UInt8($0 * $0 / 977 % 11 == 0 ? 1 : 0) })
        let bytes = NIfTIFile.encode(mask)
        #expect(bytes.count == 2105)
        #expect(Deflate.checksum(bytes) == 1_422_812_238)
    }

    @Test func codesAreShortestUnderTheirLimit() {
        // Without a limit Huffman gives the lengths 1, 2, 3, 4, 4.
        #expect(HuffmanCode(frequencies: [16, 8, 4, 2, 1], limit: 15).lengths == [1, 2, 3, 4, 4])
        let limited = HuffmanCode(frequencies: [16, 8, 4, 2, 1], limit: 3).lengths
        // Optimal under the limit, by hand; any other complete code of at most 3 bits is longer.
        #expect(limited == [1, 3, 3, 3, 3])
        #expect(HuffmanCode(frequencies: [0, 0, 5, 0], limit: 15).lengths == [1, 0, 1, 0])
        #expect(HuffmanCode(frequencies: [0, 0, 0], limit: 15).lengths == [1, 1, 0])
    }

    private func gunzipped(_ bytes: [UInt8]) throws -> [UInt8] {
        try ImageSamples.withFolder { folder in
            try ImageSamples.write(bytes, folder + "/x.gz")
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/gzip")
            process.arguments = ["-d", folder + "/x.gz"]
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            return [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/x")))
        }
    }
}
