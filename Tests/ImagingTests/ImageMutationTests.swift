import Foundation
import Imaging
import Numerics
import Testing

/// Random damage to good files: each is read or refused by name, never a crash, and what is read has the shape that was
/// checked. QUINTET_MUTATION_COUNT sets how many (default 20,000; the address sanitizer finds more with a million).
@Suite struct ImageMutationTests {
    private static let count =
        ProcessInfo.processInfo.environment["QUINTET_MUTATION_COUNT"].flatMap { Int($0) } ?? 20_000

    private static let metaHeader = """
        ObjectType = Image
        NDims = 3
        BinaryData = True
        CompressedData = False
        TransformMatrix = 1 0 0 0 1 0 0 0 1
        Offset = -10 20 -30.5
        ElementSpacing = 0.5 0.75 2.5
        DimSize = 3 2 2
        HeaderSize = 0
        ElementType = MET_SHORT
        ElementDataFile = LOCAL

        """

    private static func seeds() throws -> [[UInt8]] {
        let ramp = ImageSamples.ramp()
        let whole = ramp.with(ramp.voxels.map { Int16($0) })
        let meta = Array(metaHeader.utf8) + [UInt8](repeating: 3, count: 24)
        return [
            NIfTIFile.encode(ramp, isCompressed: false), NIfTIFile.encode(whole, isCompressed: false),
            NIfTIFile.encode(whole), meta, try ImageSamples.goldenBytes("images/float64_big.nii"),
            try ImageSamples.goldenBytes("images/qform_only.nii.gz"),
        ]
    }

    @Test func damagedFilesAreReadOrRefusedAndNothingElse() throws {
        let seeds = try Self.seeds()
        var random = RandomKey(seed: 17, purpose: .phantomNoise).stream()
        var (readCount, refusedCount) = (0, 0)
        for round in 0 ..< Self.count {
            var bytes = seeds[round % seeds.count]
            for _ in 0 ... random.index(below: 4) { damage(&bytes, &random) }
            do {
                let image = try ImageFile.read(bytes: bytes, name: "mutant")
                #expect(image.volume.voxels.count == image.source.shape.voxelCount && image.source.shape.voxelCount > 0)
                #expect(!image.volume.geometry.affine.contains { !$0.isFinite })
                readCount += 1
            } catch {
                #expect("\(error)".hasPrefix("mutant: "))
                refusedCount += 1
            }
        }
        let counts = "\(readCount) read, \(refusedCount) refused"
        #expect(readCount > Self.count / 50 && refusedCount > Self.count / 10, "\(counts)")
    }

    private func damage(_ bytes: inout [UInt8], _ random: inout RandomStream) {
        guard !bytes.isEmpty else { return }
        // Mostly in the header, where it matters.
        let reach = random.uniform() < 0.8 ? min(bytes.count, 352) : bytes.count
        let at = random.index(below: reach)
        switch random.index(below: 7) {
        case 0: bytes[at] ^= 1 << UInt8(random.index(below: 8))
        case 1: bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0x20, 0x2d][random.index(below: 7)]
        case 2: bytes[at] = UInt8(random.index(below: 256))
        case 3: bytes.removeLast(random.index(below: bytes.count))
        case 4: bytes.insert(UInt8(random.index(below: 256)), at: at)
        case 5: bytes.remove(at: at)
        default:
            // A float or integer that is not a number, infinite, huge or negative.
            let words: [UInt32] = [0x7fc0_0000, 0x7f80_0000, 0xff80_0000, 0x7f7f_ffff, 0xffff_ffff, 0x7fff_7fff, 1]
            let word = words[random.index(below: words.count)]
            let start = at & ~3
            guard start + 4 <= bytes.count else { return }
            bytes.replaceSubrange(start ..< start + 4, with: ImageSamples.littleEndian(word))
        }
    }
}
