import Imaging
import Numerics
import SynthData
import Testing

@Suite struct AbdomenPhantomTests {
    static let spacing = Spacing(zMM: 5, yMM: 3, xMM: 3)
    static let healthy = AbdomenPhantom.make(.init(seed: 11, index: 0, spacing: spacing, diseased: false))
    static let diseased = (1...6).map {
        AbdomenPhantom.make(.init(seed: 11, index: $0, spacing: spacing, diseased: true, severity: Float($0) * 0.15))
    }
    static var all: [AbdomenPhantom] { [healthy] + diseased }

    static func values(_ phantom: AbdomenPhantom, _ isWanted: (UInt8, UInt8) -> Bool) -> [Float] {
        phantom.ct.voxels.indices.filter { isWanted(phantom.liver.voxels[$0], phantom.tumour.voxels[$0]) }
            .map { phantom.ct.voxels[$0] }
    }

    static func median(_ values: [Float]) -> Float { values.sorted()[values.count / 2] }

    /// Would notice a loop whose sums hang on how it was cut, and an index that changes nothing.
    @Test func theSameSettingsGiveTheSameBytesForAnyNumberOfThreads() {
        let coarse = Spacing(zMM: 8, yMM: 6, xMM: 6)
        let settings = AbdomenPhantom.Settings(seed: 3, index: 5, spacing: coarse, diseased: true, severity: 0.7)
        let alone = AbdomenPhantom.make(settings)
        #expect(alone.ct.shape == VolumeShape(depth: 25, height: 64, width: 64))
        for threads in [2, 3] {
            let other = AbdomenPhantom.make(settings, pool: ThreadPool(threadCount: threads))
            #expect(other.ct.voxels == alone.ct.voxels)
            #expect(other.liver.voxels == alone.liver.voxels && other.tumour.voxels == alone.tumour.voxels)
        }
        var another = settings
        another.index = 6
        #expect(AbdomenPhantom.make(another).ct.voxels != alone.ct.voxels)
    }

    @Test func liversHaveTheVolumeAndTheDensityOfAdultsInThePortalVenousPhase() {
        for phantom in Self.all {
            let liver = Self.values(phantom) { liver, tumour in liver == 1 && tumour == 0 }
            let litres = Double(liver.count) * phantom.ct.geometry.voxelML / 1000
            #expect(litres > 0.8 && litres < 2.4, "\(litres) l")
            let median = Self.median(liver)
            #expect(median > 55 && median < 135, "\(median) HU")
            // Vessels: more of it is brighter than noise makes it than is darker.
            let bright = liver.count { $0 > median + 30 }, dark = liver.count { $0 < median - 30 }
            #expect(bright * 100 > liver.count && bright > 3 * dark, "\(bright) and \(dark) of \(liver.count)")
        }
    }

    /// Would notice a liver in pieces, on the wrong side, or one that fills the body.
    @Test func theLiverIsOneBodyOnTheRight() throws {
        for phantom in Self.all {
            let largest = Morphology.largestComponents(of: phantom.liver, count: 1)
            let most = largest.voxels.count { $0 > 0 }, all = phantom.liver.voxels.count { $0 > 0 }
            #expect(Double(most) > 0.97 * Double(all))
            let box = try #require(largest.boundingBox()), shape = phantom.ct.shape
            #expect(box.z.count * 5 > 90 && box.z.count * 5 < 190)
            #expect((box.x.lowerBound + box.x.upperBound) / 2 > shape.width / 2)
        }
    }

    @Test func tumoursLieInTheLiverAndHealthyPhantomsHaveNone() {
        #expect(Self.healthy.tumour.voxels.allSatisfy { $0 == 0 })
        for phantom in Self.diseased {
            #expect(phantom.tumour.voxels.contains(1))
            #expect(zip(phantom.tumour.voxels, phantom.liver.voxels).allSatisfy { $0 <= $1 })
        }
        let volumes = Self.diseased.map { $0.tumour.voxels.reduce(0) { $0 + Int($1) } }
        #expect(volumes[3...].reduce(0, +) > volumes[..<3].reduce(0, +))
    }

    /// Would notice tumours of one contrast, of none, and borders without partial volume.
    @Test func tumoursAreMostlyDarkerThanTheLiverByGradesAndSomeAreVague() {
        var differences: [Float] = []
        for phantom in Self.diseased {
            let level = Self.median(Self.values(phantom) { liver, tumour in liver == 1 && tumour == 0 })
            let labels = ConnectedComponents.label(phantom.tumour, neighbourhood: .full)
            for label in 1...Int32(labels.count) where labels.voxelCounts[Int(label) - 1] >= 8 {
                let inside = labels.labels.indices.filter { labels.labels[$0] == label }.map { phantom.ct.voxels[$0] }
                differences.append(Self.median(inside) - level)
            }
        }
        let darker = differences.filter { $0 < -8 }.sorted()
        #expect(differences.count >= 8 && darker.count * 10 >= differences.count * 6, "\(differences)")
        #expect(darker[0] < darker[darker.count - 1] - 20, "\(darker)")
    }

    @Test func whatSurroundsTheLiverIsAnAbdomen() {
        let voxels = Self.healthy.ct.voxels
        func share(_ range: ClosedRange<Float>) -> Double {
            Double(voxels.filter(range.contains).count) / Double(voxels.count)
        }
        #expect(share(-1100 ... -900) > 0.3)
        #expect(share(-135 ... -70) > 0.05)
        #expect(share(30...90) > 0.05)
        #expect(share(250...900) > 0.005)
    }
}
