import Imaging

/// What a fuzzer's bytes do to the readers of images. cluster/fuzz.sh calls it with new bytes, CorpusTests with those
/// of earlier runs. It must end, whatever the bytes, and refuse by name what it does not read.
enum HostileImages {
    static func takeNIfTI(_ input: [UInt8]) {
        take(input) { bytes throws(ImageFileError) in try NIfTIFile.read(bytes: bytes, name: "fuzzed") }
    }

    static func takeMetaImage(_ input: [UInt8]) {
        take(input) { bytes throws(ImageFileError) in try MetaImageFile.read(bytes: bytes, name: "fuzzed") }
    }

    /// The first byte decides whether the rest is the file as it is, or as gzip packs it: a fuzzer finds no checksums.
    private static func take(_ input: [UInt8], read: ([UInt8]) throws(ImageFileError) -> LoadedImage) {
        guard let choice = input.first else { return }
        var file = Array(input.dropFirst())
        if choice % 4 == 3 { file = stored(file) }
        do {
            let image = try read(file)
            check(image)
        } catch {
            let text = error.description
            precondition(text.hasPrefix("fuzzed: ") && text.contains("; "), "a refusal without name or remedy: \(text)")
        }
    }

    /// What was read has the shape that was checked, and comes back from a file of ours as it was.
    private static func check(_ image: LoadedImage) {
        let volume = image.volume
        precondition(volume.voxels.count == volume.shape.voxelCount && volume.shape.voxelCount > 0)
        precondition(volume.voxels.allSatisfy(\.isFinite) && volume.geometry.affine.allSatisfy(\.isFinite))
        let written = NIfTIFile.encode(volume, like: image.source, isCompressed: false)
        guard let again = try? NIfTIFile.read(bytes: written, name: "again") else {
            preconditionFailure("what was read cannot be written and read again")
        }
        precondition(again.volume.voxels == volume.voxels && again.volume.shape == volume.shape)
    }

    /// A gzip member of stored blocks, its checksum right.
    private static func stored(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
        var rest = bytes[...]
        repeat {
            let block = rest.prefix(0xFFFF)
            rest = rest.dropFirst(block.count)
            let count = UInt16(block.count)
            result.append(rest.isEmpty ? 1 : 0)
            for word in [count, ~count] { result += [UInt8(word & 0xFF), UInt8(word >> 8)] }
            result += block
        } while !rest.isEmpty
        var checksum: UInt32 = ~0
        for byte in bytes {
            checksum ^= UInt32(byte)
            for _ in 0..<8 { checksum = checksum >> 1 ^ (checksum & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        for word in [~checksum, UInt32(truncatingIfNeeded: bytes.count)] {
            result += (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) }
        }
        return result
    }
}
