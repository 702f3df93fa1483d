import Foundation
import Imaging
import Numerics
import Testing

@Suite struct DeflateTests {
    /// Name and bytes: nothing, less and more than one buffer, what packs well and what does not pack at all.
    static let inputs: [(String, [UInt8])] = {
        var random = RandomKey(seed: 3, purpose: .phantomNoise).stream()
        let noise = (0 ..< 700_000).map { _ in UInt8(random.index(below: 256)) }
        let sparse = (0 ..< 3_000_000).map { _ in UInt8(random.index(below: 4000) == 0 ? 1 : 0) }
        return [
            ("nothing", []), ("one byte", [7]), ("noise", noise), ("noise twice", noise + noise), ("sparse", sparse),
        ]
    }()

    @Test func gzipReadsEveryInputBack() throws {
        for (name, bytes) in Self.inputs {
            // In two parts, as header and voxels come.
            let cut = bytes.count / 3
            for isOfRuns in [false, true] {
                let packed = bytes.withUnsafeBytes {
                    Deflate.gzip([
                        UnsafeRawBufferPointer(rebasing: $0[..<cut]), UnsafeRawBufferPointer(rebasing: $0[cut...]),
                    ], isOfRuns: isOfRuns)
                }
                #expect(try gunzipped(packed) == bytes, "\(name)")
                #expect(packed.count < bytes.count + bytes.count / 1000 + 64, "\(name): \(packed.count)")
            }
        }
    }

    @Test func whatCompressesWellIsReadBackThroughTheFile() throws {
        let voxels = try #require(Self.inputs.first { $0.0 == "sparse" }).1
        let mask = Mask(
            shape: VolumeShape(depth: 30, height: 250, width: 400), geometry: ImageSamples.geometry, voxels: voxels)
        let bytes = NIfTIFile.encode(mask)
        #expect(bytes.count < voxels.count / 100)
        #expect(try NIfTIFile.read(bytes: bytes, name: "sparse").volume.voxels == voxels.map { Float($0) })
    }

    /// Through gzip itself: an independent reader, which also checks checksum and length.
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
