import Foundation
import Imaging
import Numerics
import Recipes
import TestSupport
import Testing

/// Slices with another offset, blank ones and stacks in the wrong order are named; sound scans, thick slices too, are
/// not.
@Suite struct SliceContinuityTests {
    static let ct = LungPlausibilityTests.ct

    private static func continuity(_ volume: Volume<Float>, orientation: String = "LPS") throws -> SliceContinuity {
        SliceContinuity(try PreparationTests.loaded(volume, orientation: orientation))
    }

    /// - Parameter order: which slice of the source lies where.
    static func stacked(_ volume: Volume<Float>, order: [Int]) -> Volume<Float> {
        let plane = volume.shape.sliceVoxelCount
        return volume.with(order.flatMap { Array(volume.voxels[($0 * plane)..<(($0 + 1) * plane)]) })
    }

    static func changed(_ volume: Volume<Float>, slices: Range<Int>, _ map: (Float) -> Float) -> Volume<Float> {
        var result = volume
        let plane = volume.shape.sliceVoxelCount
        for index in (slices.lowerBound * plane)..<(slices.upperBound * plane) {
            result.voxels[index] = map(result.voxels[index])
        }
        return result
    }

    @Test(arguments: ["LPS", "IPL"])
    func brokenStacksAreNamedWhereverTheirSlicesLie(orientation: String) throws {
        #expect(try Self.continuity(Self.ct, orientation: orientation).warnings.isEmpty)
        let depth = Self.ct.shape.depth, isReversed = orientation == "IPL"
        func pair(_ first: Int) -> String {
            isReversed ? "Slices \(depth - 2 - first) and \(depth - 1 - first)" : "Slices \(first) and \(first + 1)"
        }
        let axis = orientation == "LPS" ? "third" : "first"
        for (name, first, change): (String, Int, (Float) -> Float) in [
            ("offset", 29, { $0 + 1024 }), ("offset of 100", 29, { $0 + 100 }),
        ] {
            let half = Self.changed(Self.ct, slices: 30..<depth, change)
            let warnings = try Self.continuity(half, orientation: orientation).warnings
            #expect(warnings.count == 1 && warnings[0].hasPrefix(pair(first) + " (counted"), "\(name): \(warnings)")
            #expect(warnings[0].contains("the file's \(axis) axis"), "\(warnings)")
        }
        let blank = Self.changed(Self.ct, slices: 30..<33) { _ in -2000 }
        let warnings = try Self.continuity(blank, orientation: orientation).warnings
        let name = isReversed ? "Slices \(depth - 33) to \(depth - 31) " : "Slices 30 to 32 "
        #expect(warnings.count == 1 && warnings[0].hasPrefix(name), "\(warnings)")
        #expect(warnings[0].contains("one value only, -2000"), "\(warnings)")
        let even = Array(stride(from: 0, to: depth, by: 2)), odd = Array(stride(from: 1, to: depth, by: 2))
        let interleaved = try Self.continuity(Self.stacked(Self.ct, order: even + odd), orientation: orientation)
        #expect(interleaved.warnings.count == 1 && interleaved.jumps.count == 1, "\(interleaved.warnings)")
        #expect(interleaved.warnings[0].hasPrefix(pair(even.count - 1)), "\(interleaved.warnings)")
    }

    @Test func paddingAtTheEndsIsNoJumpAndEmptySlicesThere() throws {
        let depth = Self.ct.shape.depth
        var padded = Self.changed(Self.ct, slices: 0..<4) { _ in -2000 }
        padded = Self.changed(padded, slices: (depth - 3)..<depth) { _ in 0 }
        // As interpolation leaves it.
        padded = Self.changed(padded, slices: 4..<5) { ($0 - 2000) / 2 }
        let continuity = try Self.continuity(padded)
        #expect(continuity.warnings.isEmpty, "\(continuity.warnings)")
        #expect(continuity.emptySlices == Array(0..<4) + Array((depth - 3)..<depth))
    }

    /// Slices averaged to two and five times their thickness.
    @Test(.enabled(
        if: isHere(FileManager.default.fileExists(atPath: realData + "/P002_ct.nii.gz"), "real CTs in ../shared/data"),
        "no real CT in ../shared/data"))
    func realCTsHaveNoJumpInThinSlicesNorInThickOnesAndInterleavedOnesDo() throws {
        for name in ["normal001_fullfov256_ct.nii.gz", "3DCT_lung.mha"] {
            let ct = try ImageFile.read(path: "\(Self.realData)/\(name)")
            let volume = ct.volume.reoriented(from: ct.source.orientation, to: .canonical)
            let plane = volume.shape.sliceVoxelCount
            for thickness in [1, 2, 5] {
                let depth = volume.shape.depth / thickness
                var thick = Volume<Float>(
                    repeating: 0, shape: VolumeShape(depth: depth, height: volume.shape.height,
                    width: volume.shape.width), geometry: volume.geometry)
                for z in 0..<(depth * thickness) {
                    let target = z / thickness * plane
                    for index in 0..<plane {
                        thick.voxels[target + index] += volume.voxels[z * plane + index] / Float(thickness)
                    }
                }
                let sound = try Self.continuity(thick)
                #expect(sound.warnings.isEmpty, "\(name) \(thickness): \(sound.warnings)")
                if name.hasPrefix("normal001"), thickness == 1 {
                    // numpy's, of voxels on a regular grid.
                    let most = sound.steps.map(\.meanHU).max() ?? 0
                    #expect(abs(sound.typicalHU - 32.6) < 0.3 && abs(most - 42.3) < 0.5, "\(most)")
                }
                guard thickness < 5 else { continue }
                let even = Array(stride(from: 0, to: depth, by: 2)), odd = Array(stride(from: 1, to: depth, by: 2))
                let broken = try Self.continuity(Self.stacked(thick, order: even + odd))
                #expect(broken.jumps.map(\.slice) == [even.count - 1], "\(name) \(thickness): \(broken.warnings)")
                // By their files' names: 0, 1, 10, 11, ..., 19, 2, 20.
                let byName = (0..<depth).sorted { "\($0)" < "\($1)" }
                let named = try Self.continuity(Self.stacked(thick, order: byName))
                #expect(named.warnings.count == 1 && named.jumps.count >= 3, "\(name) \(thickness): \(named.warnings)")
            }
        }
    }

    private static let realData = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../shared/data").path
}
