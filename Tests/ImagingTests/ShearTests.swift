import Foundation
import Imaging
import Numerics
import Testing

/// Axes that are not at right angles: a gantry's tilt left in the file.
@Suite struct ShearTests {
    /// Slices 4 mm apart, each shifted along y by 4 mm times the tangent.
    private static func tilted(_ degrees: Double) -> Geometry {
        let shift = 4 * tan(degrees * .pi / 180)
        return Geometry(affine: [-1.81, 0, 0, 7, 0, -1.81, shift, 8, 0, 0, 4, 9])
    }

    /// numpy.linalg.det: 13.1044 mm3 at any tilt; the product of the columns' lengths is 15.1317 at 30 degrees.
    @Test(arguments: [0.0, 10, 20, 30]) func volumesGoByTheDeterminant(degrees: Double) {
        let geometry = Self.tilted(degrees)
        #expect(abs(geometry.voxelML * 1000 - 13.1044) < 1e-9)
        let box = geometry.boxSpacing
        #expect(abs(box.xMM - 1.81) < 1e-12 && abs(box.yMM - 1.81) < 1e-12 && abs(box.zMM - 4) < 1e-12)
        if degrees == 30 { #expect(abs(geometry.spacing.voxelML * 1000 - 15.131657735137063) < 1e-9) }
    }

    /// What is compared with thresholds and what is printed must not change in its last digit.
    @Test func atRightAnglesNothingChanges() throws {
        var random = RandomKey(seed: 5, purpose: .phantomNoise).stream()
        for _ in 0..<200 {
            var numbers = (0..<3).map { _ in Double(random.uniform(-1, 1)) }
            let length = max(1, numbers.map { $0 * $0 }.reduce(0, +).squareRoot())
            numbers = numbers.map { $0 / length }
            let lengths = (0..<3).map { _ in Double(random.uniform(0.4, 5)) }
            let bytes = NIfTIFile.encode(
                Mask(repeating: 1, shape: VolumeShape(depth: 1, height: 1, width: 1), geometry: Geometry(affine: [
                    lengths[0], 0, 0, 0, 0, lengths[1], 0, 0, 0, 0, lengths[2], 0,
                ])), isCompressed: false)
            // The rotation comes through the file's 32-bit quaternion, without an sform.
            var turned = ImageSamples.patched(bytes, at: 254, [0, 0])
            turned = ImageSamples.patched(
                turned, at: 256, numbers.flatMap { ImageSamples.littleEndian(Float($0).bitPattern) })
            let image = try ImageFile.read(bytes: turned, name: "turned")
            let geometry = image.volume.geometry
            #expect(geometry.boxSpacing == geometry.spacing && geometry.voxelML == geometry.spacing.voxelML)
            #expect(image.source.warnings.isEmpty)
        }
    }

    @Test func aTiltIsSaidWithItsAngle() throws {
        func warnings(_ degrees: Double) throws -> [String] {
            let volume = ImageSamples.ramp(ImageSamples.shape, Self.tilted(degrees))
            return try ImageFile.read(bytes: NIfTIFile.encode(volume), name: "ct.nii.gz").source.warnings
        }
        #expect(try warnings(0.5).isEmpty)
        let said = try warnings(20)
        #expect(said.count == 1 && said[0].contains("20.0 degrees"))
    }

    /// A sheared grid has as many prepared slices as the same slices upright: they are as far apart.
    @Test func thePreparedGridGoesByTheDistanceOfSlices() throws {
        let shape = VolumeShape(depth: 30, height: 20, width: 24)
        func plan(_ degrees: Double) throws -> ResamplingPlan {
            let volume = ImageSamples.ramp(shape, Self.tilted(degrees))
            let source = try ImageFile.read(bytes: NIfTIFile.encode(volume), name: "ct.nii.gz").source
            return try ResamplingPlan(source: source, spacing: Spacing(zMM: 2, yMM: 1.6, xMM: 1.6))
        }
        #expect(try plan(30).gridShape == VolumeShape(depth: 60, height: 23, width: 27))
        #expect(try plan(30).gridShape == plan(0).gridShape)
        let tilted = try plan(30), mapping = tilted.mapping
        let place = mapping.targetGeometry(Geometry(affine: Self.tilted(30).affine))
        #expect(abs(place.voxelML * 1000 - 2 * 1.6 * 1.6) < 1e-5)
    }
}
