import Foundation
import Imaging
import Numerics
import Testing

/// Reads the CTs in ../shared/data; skipped where they are missing.
@Suite(.enabled(if: ImageSamples.hasRealData(), "no real CT in ../shared/data"), .serialized)
struct RealImageTests {
    @Test func aRealCTIsReadAsItsOwnReaderDoes() throws {
        let image = try ImageFile.read(path: ImageSamples.realFolder + "/P002_ct.nii.gz")
        #expect(image.volume.shape == VolumeShape(depth: 132, height: 344, width: 435))
        #expect(image.source.orientation.description == "LPS")
        #expect(image.source.isOrientationKnown)
        #expect(image.source.voxelType == .int16)
        let spacing = image.volume.geometry.spacing
        #expect(abs(spacing.xMM - 0.6035156) < 1e-6 && abs(spacing.zMM - 2) < 1e-6)
        let lung = try ImageFile.read(path: ImageSamples.realFolder + "/P002_lung_auto.nii.gz").mask()
        let inside = zip(image.volume.voxels, lung.voxels).filter { $1 > 0 }.map { Double($0.0) }
        let mean = inside.reduce(0, +) / Double(inside.count)
        #expect(mean > -900 && mean < -600, "mean of the lung is \(mean) HU")
    }

    @Test(arguments: ["3DCT_lung.mha", "3DCT_lung_baseline_small.mha", "3DCT_lung_baseline_mask.mha"])
    func realMetaImagesAreRead(name: String) throws {
        let image = try ImageFile.read(path: "\(ImageSamples.realFolder)/\(name)")
        #expect(image.source.orientation.description == "LPS")
        #expect(image.source.format == "MetaImage")
        #expect(image.volume.voxels.allSatisfy { $0 >= -2048 && $0 <= 32767 })
        #expect(Set(image.volume.voxels).count > 1)
    }

    static let hostileFolder = ImageSamples.realFolder + "/hostile"

    @Test func everyHostileFileIsRefusedByNameAtOnce() async throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.hostileFolder).sorted()
        #expect(names.count >= 6)
        for name in names {
            await #expect(processExitsWith: .success) { [name = name as String] in
                let reading = MemoryOfReading("\(Self.hostileFolder)/\(name)")
                let error = try #require(reading.error, "\(name) was read")
                #expect("\(error)".hasPrefix("\(name): "), "\(error)")
                #expect(reading.isQuick, "\(name): \(reading.seconds) s")
                #expect(reading.grownByteCount < 64 << 20, "\(name): \(reading.grownByteCount >> 20) MiB")
            }
        }
    }

    @Test func aMaskComesBackOnTheFilesOwnGrid() throws {
        let source = try ImageFile.read(path: ImageSamples.realFolder + "/P002_lung_auto.nii.gz")
        let pool = ThreadPool(threadCount: 2)
        var plan = try ResamplingPlan(source: source.source, spacing: Spacing(zMM: 2, yMM: 1.6, xMM: 1.6))
        let lung = plan.mask(try source.mask(), pool: pool)
        plan.window = PlaneWindow(centredOn: try #require(lung.boundingBox()), height: 144, width: 208)
        let back = plan.back(plan.cut(lung, fill: 0), pool: pool)
        #expect(back.shape == source.volume.shape)
        #expect(back.geometry == source.volume.geometry)
        let truth = try source.mask()
        let common = zip(back.voxels, truth.voxels).reduce(0) { $0 + Int($1.0 & $1.1) }
        let sum = back.voxels.reduce(0) { $0 + Int($1) } + truth.voxels.reduce(0) { $0 + Int($1) }
        #expect(2 * Double(common) / Double(sum) > 0.97)
    }
}
