import Foundation
import Imaging
import Numerics
import TestSupport

/// Files and volumes that the image tests share.
enum ImageSamples {
    static let testFolder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
    /// Real CT, not part of the repository; tests that need it are skipped where it is missing.
    static let realFolder = testFolder + "/../../../shared/data"
    static func hasRealData(fileID: String = #fileID) -> Bool {
        let isThere = FileManager.default.fileExists(atPath: realFolder + "/P002_ct.nii.gz")
        return isHere(isThere, "real CTs in ../shared/data", fileID: fileID)
    }

    static func golden(_ name: String) -> String { testFolder + "/Goldens/" + name }

    static func goldenBytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: golden(name))))
    }

    /// A fresh folder, removed afterwards.
    static func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = try newFolder()
        defer { remove(folder) }
        return try body(folder)
    }

    static func newFolder() throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("quintet-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    static func remove(_ folder: String) { try? FileManager.default.removeItem(atPath: folder) }

    static func write(_ bytes: [UInt8], _ path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    /// Through gzip itself: an independent writer.
    static func gzipped(_ bytes: [UInt8]) throws -> [UInt8] {
        guard !bytes.isEmpty else { return [] }
        return try withFolder { folder in
            try write(bytes, folder + "/x")
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/gzip")
            process.arguments = ["-n", folder + "/x"]
            try process.run()
            process.waitUntilExit()
            return [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/x.gz")))
        }
    }

    /// Oblique and anisotropic, so that no two axes can be mistaken for each other.
    static let geometry = Geometry(affine: [
        -0.69, 0.02, 0.1, 120.5, -0.03, -0.71, 0.05, 99.25, 0.01, 0.06, 2.5, -350,
    ])
    static let shape = VolumeShape(depth: 4, height: 5, width: 7)

    /// Whole numbers from -1024 on, all different.
    static func ramp(_ shape: VolumeShape = shape, _ geometry: Geometry = geometry) -> Volume<Float> {
        Volume(shape: shape, geometry: geometry, voxels: (0 ..< shape.voxelCount).map { Float($0 * 7 - 1024) })
    }

    static func noise(_ shape: VolumeShape, _ geometry: Geometry, seed: UInt64 = 1) -> Volume<Float> {
        var stream = RandomKey(seed: seed, purpose: .phantomNoise).stream()
        return Volume(
            shape: shape, geometry: geometry, voxels: (0 ..< shape.voxelCount).map { _ in stream.uniform(-1000, 400) })
    }

    /// Largest difference of two affines.
    static func distance(_ a: Geometry, _ b: Geometry) -> Double {
        largestDifference(a.affine, b.affine)
    }

    /// Some bytes replaced.
    static func patched(_ bytes: [UInt8], at offset: Int, _ values: [UInt8]) -> [UInt8] {
        var result = bytes
        result.replaceSubrange(offset ..< offset + values.count, with: values)
        return result
    }

    static func littleEndian<Word: FixedWidthInteger>(_ word: Word) -> [UInt8] {
        withUnsafeBytes(of: word.littleEndian) { Array($0) }
    }

    /// What the reader says about a bad file; nil when it accepts it.
    static func refusal(_ bytes: [UInt8], name: String = "bad.nii") -> ImageFileError? {
        do {
            _ = try ImageFile.read(bytes: bytes, name: name)
            return nil
        } catch {
            return error
        }
    }
}
