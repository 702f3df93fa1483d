import Foundation
import Imaging
import Numerics
import SynthData
import Testing

@Suite struct ChestPhantomTests {
    static let healthy = ChestPhantom.make(.init(seed: 11, index: 0, diseased: false))
    static let diseased = (1...3).map {
        ChestPhantom.make(.init(seed: 11, index: $0, diseased: true, severity: Float($0) * 0.3))
    }
    static var all: [ChestPhantom] { [healthy] + diseased }

    @Test func theSameSettingsGiveTheSameBytesForAnyNumberOfThreads() {
        let coarse = Spacing(zMM: 4, yMM: 3.2, xMM: 3.2)
        let settings = ChestPhantom.Settings(seed: 3, index: 5, spacing: coarse, diseased: true, severity: 0.7)
        let alone = ChestPhantom.make(settings)
        for threads in [2, 3] {
            let other = ChestPhantom.make(settings, pool: ThreadPool(threadCount: threads))
            #expect(other.ct.voxels == alone.ct.voxels)
            #expect(other.lung.voxels == alone.lung.voxels)
            #expect(other.lesion.voxels == alone.lesion.voxels)
        }
        var another = settings
        another.index = 6
        #expect(ChestPhantom.make(another).ct.voxels != alone.ct.voxels)
    }

    @Test func lungsHaveTheVolumeAndTheDensityOfAdults() {
        for phantom in Self.all {
            let lung = zip(phantom.ct.voxels, phantom.lung.voxels).filter { $0.1 == 1 }.map(\.0)
            let litres = Double(lung.count) * phantom.ct.geometry.spacing.voxelML / 1000
            #expect(litres > 2.5 && litres < 6.5, "\(litres) l")
        }
        let lung = zip(Self.healthy.ct.voxels, Self.healthy.lung.voxels).filter { $0.1 == 1 }.map(\.0).sorted()
        #expect(lung[lung.count / 2] > -900 && lung[lung.count / 2] < -780)
    }

    @Test func vesselsAreABrightShareOfHealthyLungsAsInRealOnes() {
        let lung = zip(Self.healthy.ct.voxels, Self.healthy.lung.voxels).filter { $0.1 == 1 }.map(\.0)
        let share = Double(lung.filter { $0 >= -500 }.count) / Double(lung.count)
        #expect(share > 0.03 && share < 0.08, "\(share)")
    }

    @Test func lesionsLieInTheLungsAndHealthyPhantomsHaveNone() {
        #expect(Self.healthy.lesion.voxels.allSatisfy { $0 == 0 })
        for phantom in Self.diseased {
            #expect(phantom.lesion.voxels.contains(1))
            #expect(zip(phantom.lesion.voxels, phantom.lung.voxels).allSatisfy { $0 <= $1 })
        }
    }

    @Test func lesionsReachFromGroundGlassToConsolidation() {
        let values = Self.diseased.flatMap { (phantom) -> [Float] in
            zip(phantom.ct.voxels, phantom.lesion.voxels).filter { $0.1 == 1 }.map(\.0)
        }
        let glass = values.filter { $0 > -700 && $0 < -400 }.count, solid = values.filter { $0 > -100 }.count
        #expect(Double(glass) > 0.25 * Double(values.count))
        #expect(Double(solid) > 0.02 * Double(values.count))
    }

    @Test func theTracheaIsAnAirTubeThatForksInTheChest() {
        let phantom = Self.healthy, shape = phantom.ct.shape
        // Air inside the body: not connected to the outside, darker than lung, outside the lung mask.
        let air = zip(phantom.ct.voxels, phantom.lung.voxels).map { $0.0 < -920 && $0.1 == 0 ? UInt8(1) : 0 }
        let components = ConnectedComponents.label(
            Volume(shape: shape, geometry: phantom.ct.geometry, voxels: air), neighbourhood: .faces)
        let top = shape.index(z: shape.depth - 1, y: 0, x: 0)..<shape.voxelCount
        let outside = components.labels[shape.index(z: shape.depth - 1, y: 0, x: 0)]
        let inBody = Set(components.labels[top].filter { $0 != 0 && $0 != outside })
        let lengths = inBody.map { components.boundingBoxes[Int($0) - 1].z.count }
        #expect(Double(lengths.max() ?? 0) * phantom.ct.geometry.spacing.zMM > 80)
    }
}
