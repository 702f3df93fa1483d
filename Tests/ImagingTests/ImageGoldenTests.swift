import Foundation
import Imaging
import Numerics
import TestSupport
import Testing

/// Against nibabel and scipy; the goldens are made by Goldens/make_images.py.
@Suite struct ImageGoldenTests {
    struct Expected: Decodable {
        var name: String
        var shape: [Int]
        var affine: [Double]
        var values: [Double]
        var axes: String
    }

    struct OrientationCase: Decodable {
        var affine: [Double]
        var axes: String
    }

    struct ResamplingCase: Decodable {
        var shape: [Int]
        var spacing: [Double]
        var grid: [Double]
        var target: [Int]
        var averaged: [Double]
        var linear: [Double]
        var nearest: [UInt8]
        var back: [UInt8]
    }

    private func decode<Value: Decodable>(_ name: String, as _: Value.Type) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(ImageSamples.goldenBytes(name)))
    }

    @Test func everyTypeByteOrderAndFormIsReadAsByNibabel() throws {
        let all = try decode("images/expected.json", as: [Expected].self)
        #expect(all.count == 26)
        for expected in all {
            let image = try ImageFile.read(path: ImageSamples.golden("images/" + expected.name))
            let shape = image.volume.shape
            #expect([shape.depth, shape.height, shape.width] == expected.shape, "\(expected.name)")
            #expect(image.volume.voxels == expected.values.map { Float($0) }, "\(expected.name)")
            let distance = largestDifference(image.volume.geometry.affine, expected.affine)
            #expect(distance < 2e-5, "\(expected.name): \(distance)")
            #expect(image.source.orientation.description == expected.axes, "\(expected.name)")
            #expect(image.source.isOrientationKnown == (expected.name != "no_form.nii"))
        }
    }

    @Test func whatComesFromABigEndianFileGoesBackOnItsGrid() throws {
        for name in ["int16_big.nii", "pair_big.hdr", "qform_only.nii.gz"] {
            let image = try ImageFile.read(path: ImageSamples.golden("images/" + name))
            let mask: Mask = image.volume.with([UInt8](repeating: 1, count: image.volume.voxels.count))
            let back = try ImageFile.read(bytes: NIfTIFile.encode(mask, like: image.source), name: "mask of \(name)")
            #expect(back.volume.geometry == image.volume.geometry, "\(name)")
            #expect(back.volume.shape == image.volume.shape)
            #expect(back.volume.voxels.allSatisfy { $0 == 1 })
        }
    }

    @Test func aPairOfFilesBecomesOne() throws {
        for name in ["pair.hdr", "pair_big.hdr"] {
            let path = ImageSamples.golden("images/" + name)
            let joined = try ImageFile.read(bytes: try #require(try ImageFile.joined(path: path)), name: name)
            let pair = try ImageFile.read(path: path)
            #expect(joined.volume.voxels == pair.volume.voxels && joined.volume.geometry == pair.volume.geometry)
        }
        #expect(try ImageFile.joined(path: ImageSamples.golden("images/scaled.nii.gz")) == nil)
    }

    @Test func obliqueGridsGoToTheSameAxesAsByNibabel() throws {
        let cases = try decode("orientations.json", as: [OrientationCase].self)
        #expect(cases.count == 150)
        for (index, golden) in cases.enumerated() {
            let orientation = Orientation(nearestTo: Geometry(affine: golden.affine))
            #expect(orientation.description == golden.axes, "case \(index)")
        }
    }

    @Test func resamplingIsScipys() throws {
        let pool = ThreadPool(threadCount: 2)
        let cases = try decode("resampling.json", as: [ResamplingCase].self)
        #expect(cases.count == 6)
        for golden in cases {
            let shape = VolumeShape(depth: golden.shape[0], height: golden.shape[1], width: golden.shape[2])
            let spacing = Spacing(zMM: golden.spacing[0], yMM: golden.spacing[1], xMM: golden.spacing[2])
            let grid = Spacing(zMM: golden.grid[0], yMM: golden.grid[1], xMM: golden.grid[2])
            let image = Volume(
                shape: shape, geometry: Geometry(spacing: spacing),
                voxels: (0 ..< shape.voxelCount).map { Float($0 * 7919 % 2003 - 1000) })
            let mapping = GridMapping(sourceShape: shape, sourceSpacing: spacing, to: grid)
            let target = mapping.targetShape
            #expect([target.depth, target.height, target.width] == golden.target)
            let averaged = mapping.linear(image, pool: pool)
            let worst = largestDifference(averaged.voxels, golden.averaged)
            #expect(worst < 2e-3, "\(shape): \(worst)")
            let linear = mapping.linear(image, isAveraging: false, pool: pool)
            let worstLinear = largestDifference(linear.voxels, golden.linear)
            #expect(worstLinear < 2e-3, "\(shape): \(worstLinear)")
            let small = mapping.nearest(image.with(image.voxels.map { $0 > 0 ? 1 : 0 }), pool: pool)
            #expect(small.voxels == golden.nearest, "\(shape)")
            #expect(mapping.reversed.nearest(small, pool: pool).voxels == golden.back, "\(shape)")
        }
    }
}
