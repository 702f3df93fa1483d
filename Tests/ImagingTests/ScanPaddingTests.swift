import Foundation
import Imaging
import Numerics
import Testing

/// Whatever constant surrounds a scan, the lungs are the same.
@Suite struct ScanPaddingTests {
    private static let constants: [Float] = [0, -1024, -32768, 3071]
    private let pool = ThreadPool(threadCount: 2)

    private func lungs(_ volume: Volume<Float>) throws -> Mask {
        try LungSegmenter().segment(volume, pool: pool)
    }

    /// The volume with planes of a constant around it.
    private func bordered<Value>(
        _ volume: Volume<Value>, low: (z: Int, y: Int, x: Int), high: (z: Int, y: Int, x: Int), _ value: Value
    ) -> Volume<Value> {
        let inner = volume.shape
        let shape = VolumeShape(
            depth: inner.depth + low.z + high.z, height: inner.height + low.y + high.y,
            width: inner.width + low.x + high.x)
        var result = Volume(repeating: value, shape: shape, geometry: volume.geometry)
        for z in 0..<inner.depth {
            for y in 0..<inner.height {
                for x in 0..<inner.width { result[z + low.z, y + low.y, x + low.x] = volume[z, y, x] }
            }
        }
        return result
    }

    private func circled(_ volume: Volume<Float>, _ value: Float) -> Volume<Float> {
        var result = volume
        let (height, width) = (Double(volume.shape.height), Double(volume.shape.width))
        for z in 0..<volume.shape.depth {
            for y in 0..<volume.shape.height {
                for x in 0..<volume.shape.width {
                    let (dy, dx) = (2 * Double(y) + 1 - height, 2 * Double(x) + 1 - width)
                    if dy * dy / (height * height) + dx * dx / (width * width) > 0.99 { result[z, y, x] = value }
                }
            }
        }
        return result
    }

    /// Turned about z and then about x, by linear interpolation, as scipy's rotate with a constant outside.
    private func turned(_ volume: Volume<Float>, _ value: Float) -> Volume<Float> {
        let shape = VolumeShape(
            depth: volume.shape.depth + 16, height: volume.shape.height + 40, width: volume.shape.width + 40)
        var result = Volume(repeating: value, shape: shape, geometry: volume.geometry)
        let (from, to) = (volume.shape, shape), spacing = volume.geometry.spacing
        let (a, b) = (12 * Double.pi / 180, 6 * Double.pi / 180)
        for z in 0..<to.depth {
            for y in 0..<to.height {
                for x in 0..<to.width {
                    let mm = [
                        (Double(x) - Double(to.width - 1) / 2) * spacing.xMM,
                        (Double(y) - Double(to.height - 1) / 2) * spacing.yMM,
                        (Double(z) - Double(to.depth - 1) / 2) * spacing.zMM,
                    ]
                    let (u, v) = (cos(a) * mm[0] - sin(a) * mm[1], sin(a) * mm[0] + cos(a) * mm[1])
                    let (p, q) = (cos(b) * v - sin(b) * mm[2], sin(b) * v + cos(b) * mm[2])
                    result[z, y, x] = sample(
                        volume, q / spacing.zMM + Double(from.depth - 1) / 2,
                        p / spacing.yMM + Double(from.height - 1) / 2, u / spacing.xMM + Double(from.width - 1) / 2,
                        outside: value)
                }
            }
        }
        return result
    }

    private func sample(
        _ volume: Volume<Float>, _ z: Double, _ y: Double, _ x: Double, outside: Float
    ) -> Float {
        let (z0, y0, x0) = (Int(z.rounded(.down)), Int(y.rounded(.down)), Int(x.rounded(.down)))
        var sum = 0.0
        for corner in 0..<8 {
            let (k, j, i) = (z0 + corner / 4, y0 + corner / 2 % 2, x0 + corner % 2)
            let weight = (1 - abs(z - Double(k))) * (1 - abs(y - Double(j))) * (1 - abs(x - Double(i)))
            let isInside = (0..<volume.shape.depth).contains(k) && (0..<volume.shape.height).contains(j)
                && (0..<volume.shape.width).contains(i)
            sum += weight * Double(isInside ? volume[k, j, i] : outside)
        }
        return Float(sum.rounded())
    }

    @Test(arguments: constants) func aBorderASliceOrACircleChangesNoVoxelOfADrawnChest(constant: Float) throws {
        let chest = DrawnChest(), plain = try lungs(chest.volume)
        #expect(dice(plain, chest.lung) > 0.98)
        for (low, high) in [
            ((5, 10, 10), (5, 10, 10)), ((0, 0, 0), (1, 0, 0)), ((1, 0, 0), (0, 0, 0)), ((0, 0, 9), (0, 0, 0)),
        ] {
            let found = try lungs(bordered(chest.volume, low: low, high: high, constant))
            #expect(found.voxels == bordered(plain, low: low, high: high, 0).voxels, "\(constant) \(low) \(high)")
        }
        #expect(try lungs(DrawnChest(outsideHU: constant).volume).voxels == plain.voxels)
    }

    /// Slices that end in the middle of the lungs meet the padding with whole lungs.
    @Test(arguments: [0, -1024, 3071] as [Float]) func lungsThatAreCutOffAtAnEndStayLungs(constant: Float) throws {
        let chest = DrawnChest()
        func middle<Value>(_ volume: Volume<Value>) -> Volume<Value> {
            let shape = VolumeShape(depth: 30, height: volume.shape.height, width: volume.shape.width)
            let first = 30 * shape.sliceVoxelCount
            return Volume(
                shape: shape, geometry: volume.geometry,
                voxels: Array(volume.voxels[first ..< first + shape.voxelCount]))
        }
        let part = middle(chest.volume), plain = try lungs(part)
        #expect(dice(plain, middle(chest.lung)) > 0.98)
        let found = try lungs(bordered(part, low: (4, 0, 0), high: (2, 0, 0), constant))
        #expect(found.voxels == bordered(plain, low: (4, 0, 0), high: (2, 0, 0), 0).voxels)
    }

    /// Interpolation puts a plane of values between scan and padding: at 0 HU it looks like a wall of tissue.
    @Test func aBorderThatWasInterpolatedIsNoWall() throws {
        let chest = DrawnChest(), plain = try lungs(chest.volume)
        let low = (z: 4, y: 6, x: 6), high = (z: 4, y: 6, x: 6)
        for constant in [0, 3071] as [Float] {
            var wide = bordered(chest.volume, low: low, high: high, constant)
            let sharp = wide
            for index in wide.voxels.indices.dropLast() {
                wide.voxels[index] = (0.3 * sharp.voxels[index] + 0.7 * sharp.voxels[index + 1]).rounded()
            }
            let score = dice(try lungs(wide), bordered(plain, low: low, high: high, 0))
            #expect(score > 0.97, "\(constant): \(score)")
        }
    }

    /// Nothing in it tells a body of one value from padding: it is taken as it always was.
    @Test func aChestDrawnWithoutNoiseHasNoPadding() throws {
        let chest = DrawnChest(noiseHU: 0)
        #expect(dice(try lungs(chest.volume), chest.lung) > 0.98)
    }

    // MARK: Real CT

    private func coarse(_ file: String) throws -> Volume<Float> {
        let volume = try ImageFile.read(path: "\(ImageSamples.realFolder)/\(file)").volume.canonical()
        let mapping = GridMapping(
            sourceShape: volume.shape, sourceSpacing: volume.geometry.spacing, to: Spacing(zMM: 4, yMM: 3, xMM: 3))
        let small = mapping.linear(volume, pool: pool)
        return small.with(small.voxels.map { $0.rounded() })
    }

    @Test(
        .enabled(if: ImageSamples.hasRealData(), "no real CT in ../shared/data"),
        arguments: ["P002_ct.nii.gz", "normal001_fullfov256_ct.nii.gz"]
    ) func aRealScanHasTheSameLungsWhateverSurroundsIt(file: String) throws {
        let scan = try coarse(file), plain = try lungs(scan)
        let count = plain.voxels.count { $0 > 0 }
        var turnedCounts: [Int] = []
        for constant in Self.constants {
            for (low, high) in [((3, 8, 8), (3, 8, 8)), ((0, 0, 0), (1, 0, 0)), ((1, 0, 0), (0, 0, 0))] {
                let found = try lungs(bordered(scan, low: low, high: high, constant))
                #expect(found.voxels == bordered(plain, low: low, high: high, 0).voxels, "\(constant) \(low) \(high)")
            }
            turnedCounts.append(try lungs(turned(scan, constant)).voxels.count { $0 > 0 })
        }
        for turned in turnedCounts {
            #expect(abs(Double(turned) / Double(count) - 1) < 0.02, "\(turnedCounts) for \(count)")
        }
        #expect(Double(turnedCounts.max()! - turnedCounts.min()!) < 0.002 * Double(count), "\(turnedCounts)")
    }

    @Test(
        .enabled(if: ImageSamples.hasRealData(), "no real CT in ../shared/data"), arguments: constants
    ) func theCircleOfAScannerMayHoldAnything(constant: Float) throws {
        let scan = try coarse("normal001_fullfov256_ct.nii.gz")
        #expect(try lungs(circled(scan, constant)).voxels == lungs(scan).voxels)
    }

    /// FNV-1a of the masks, in the files' own order, that version 0.1.0 made: a scan without padding is not touched.
    @Test(
        .enabled(if: ImageSamples.hasRealData(), "no real CT in ../shared/data"),
        arguments: [
            ("P002_ct.nii.gz", 0xfc89_977a_c748_1ad9, 5_439_226),
            ("normal001_fullfov256_ct.nii.gz", 0x1119_e1f0_dd65_8703, 1_082_132),
            ("RICORD-1A-000082_15slices.nii.gz", 0x027e_a914_28ea_7275, 340_760),
        ] as [(String, UInt64, Int)]
    ) func anOrdinaryScanHasTheMaskItAlwaysHad(file: String, digest: UInt64, count: Int) throws {
        let image = try ImageFile.read(path: "\(ImageSamples.realFolder)/\(file)")
        let mask = try lungs(image.volume.canonical()).reoriented(from: .canonical, to: image.source.orientation)
        #expect(mask.voxels.count { $0 > 0 } == count)
        #expect(mask.voxels.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } == digest)
    }
}
