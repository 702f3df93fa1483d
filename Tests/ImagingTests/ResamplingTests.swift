import Foundation
import Imaging
import Numerics
import Testing

@Suite struct ResamplingTests {
    private let shape = VolumeShape(depth: 13, height: 37, width: 41)
    private let fine = Spacing(zMM: 1.3, yMM: 0.7, xMM: 0.65)
    private let wanted = Spacing(zMM: 2, yMM: 1.6, xMM: 1.6)

    private func source(_ volume: Volume<Float>) throws -> ImageSource {
        try ImageFile.read(bytes: NIfTIFile.encode(volume, isCompressed: false), name: "test.nii").source
    }

    @Test func anyNumberOfThreadsGivesTheSameBytes() {
        let volume = ImageSamples.noise(shape, Geometry(spacing: fine))
        let mapping = GridMapping(sourceShape: shape, sourceSpacing: fine, to: wanted)
        let one = ThreadPool(threadCount: 1)
        let expected = mapping.linear(volume, pool: one).voxels.map(\.bitPattern)
        let mask: Mask = volume.with(volume.voxels.map { $0 > -300 ? 1 : 0 })
        let expectedMask = mapping.nearest(mask, pool: one).voxels
        for count in [2, 3, 4] {
            let pool = ThreadPool(threadCount: count)
            #expect(mapping.linear(volume, pool: pool).voxels.map(\.bitPattern) == expected)
            #expect(mapping.nearest(mask, pool: pool).voxels == expectedMask)
        }
    }

    @Test func theFirstCornerStaysAndValuesStayWhereTheyAre() {
        // A linear field is reproduced wherever no edge is involved.
        let geometry = Geometry(spacing: fine)
        var volume = Volume<Float>(repeating: 0, shape: shape, geometry: geometry)
        for z in 0 ..< shape.depth { for y in 0 ..< shape.height { for x in 0 ..< shape.width {
            let place = geometry.positionMM(z: Double(z), y: Double(y), x: Double(x))
            volume[z, y, x] = Float(3 * place.right - 2 * place.anterior + 5 * place.superior)
        } } }
        let mapping = GridMapping(sourceShape: shape, sourceSpacing: fine, to: wanted)
        let result = mapping.linear(volume, pool: ThreadPool(threadCount: 2))
        let spacing = result.geometry.spacing
        #expect(abs(spacing.zMM - 2) < 1e-12 && abs(spacing.yMM - 1.6) < 1e-12 && abs(spacing.xMM - 1.6) < 1e-12)
        let corner = result.geometry.positionMM(z: -0.5, y: -0.5, x: -0.5)
        let corner0 = geometry.positionMM(z: -0.5, y: -0.5, x: -0.5)
        #expect(abs(corner.right - corner0.right) < 1e-12 && abs(corner.superior - corner0.superior) < 1e-12)
        let last = (z: result.shape.depth - 1, y: result.shape.height - 1, x: result.shape.width - 1)
        for z in 1 ..< last.z { for y in 1 ..< last.y { for x in 1 ..< last.x {
            let place = result.geometry.positionMM(z: Double(z), y: Double(y), x: Double(x))
            let expected = 3 * place.right - 2 * place.anterior + 5 * place.superior
            #expect(abs(Double(result[z, y, x]) - expected) < 1e-3)
        } } }
    }

    @Test func everySourceVoxelCountsWhereTheGridIsCoarser() {
        let pool = ThreadPool(threadCount: 1)
        let row = VolumeShape(depth: 1, height: 1, width: 24)
        let from = Spacing(zMM: 1, yMM: 1, xMM: 1)
        for ratio in [1.2, 1.9, 2.0, 2.65, 3.3, 4.0] {
            let mapping = GridMapping(sourceShape: row, sourceSpacing: from, to: Spacing(zMM: 1, yMM: 1, xMM: ratio))
            for index in 0 ..< Int(Double(mapping.targetShape.width) * ratio - 1) {
                var point = Volume<Float>(repeating: 0, shape: row, geometry: Geometry(spacing: from))
                point[0, 0, index] = 1
                #expect(mapping.linear(point, pool: pool).voxels.contains { $0 > 0 }, "\(ratio): voxel \(index)")
            }
        }
    }

    @Test(arguments: ["RAS", "LPS", "SRA", "PIL", "IAL"])
    func aMaskComesBackOnTheFilesOwnGridByNearestMapping(code: String) throws {
        let canonical = ImageSamples.noise(shape, Geometry(spacing: fine))
        let stored = canonical.reoriented(from: .canonical, to: try #require(Orientation(code: code)))
        let source = try source(stored)
        var plan = try ResamplingPlan(source: source, spacing: wanted)
        let pool = ThreadPool(threadCount: 2)
        // Reaches beyond the grid above, cuts it on the left.
        plan.window = PlaneWindow(startY: -3, startX: 4, height: 24, width: 10)
        let prepared = plan.preparedShape
        var answer = Mask(repeating: 0, shape: prepared, geometry: Geometry(spacing: wanted))
        for index in 0 ..< prepared.voxelCount { answer.voxels[index] = UInt8(index * 2654435761 >> 7 & 1) }
        let back = plan.back(answer, pool: pool)
        #expect(back.shape == source.shape && back.geometry == source.geometry)

        let straight = back.reoriented(from: source.orientation, to: .canonical)
        for z in 0 ..< shape.depth { for y in 0 ..< shape.height { for x in 0 ..< shape.width {
            func nearest(_ index: Int, _ spacing: Double, _ grid: Double, _ count: Int) -> Int {
                min(max(Int(((Double(index) + 0.5) * spacing / grid).rounded(.down)), 0), count - 1)
            }
            let pz = nearest(z, fine.zMM, wanted.zMM, plan.gridShape.depth)
            let py = nearest(y, fine.yMM, wanted.yMM, plan.gridShape.height) + 3
            let px = nearest(x, fine.xMM, wanted.xMM, plan.gridShape.width) - 4
            let inside = (0 ..< 24).contains(py) && (0 ..< 10).contains(px)
            #expect(straight[z, y, x] == (inside ? answer[pz, py, px] : 0), "\(z) \(y) \(x)")
        } } }
    }

    @Test func cuttingAndRestoringAreInverse() {
        let volume = ImageSamples.noise(VolumeShape(depth: 2, height: 6, width: 9), Geometry(spacing: fine))
        for window in [
            PlaneWindow(startY: -2, startX: -1, height: 12, width: 14),
            PlaneWindow(startY: 0, startX: 0, height: 6, width: 9),
        ] {
            let cut = window.cut(volume, fill: 0)
            #expect(cut.shape == VolumeShape(depth: 2, height: window.height, width: window.width))
            let back = window.restore(cut, planeHeight: 6, planeWidth: 9, fill: 0)
            #expect(back.voxels == volume.voxels)
            #expect(ImageSamples.distance(back.geometry, volume.geometry) < 1e-9)
        }
        let far = PlaneWindow(startY: 50, startX: -50, height: 3, width: 3).cut(volume, fill: 7)
        #expect(far.voxels.allSatisfy { $0 == 7 })
        let box = VoxelBox(z: 0..<2, y: 1..<4, x: 3..<9)
        let window = PlaneWindow(startY: 1, startX: 4, height: 2, width: 4)
        #expect(PlaneWindow(centredOn: box, height: 2, width: 4) == window)
    }

    @Test func theBoundingBoxHoldsEverything() {
        var mask = Mask(repeating: 0, shape: shape, geometry: Geometry(spacing: fine))
        #expect(mask.boundingBox() == nil)
        mask[3, 4, 5] = 1
        mask[7, 2, 40] = 1
        #expect(mask.boundingBox() == VoxelBox(z: 3..<8, y: 2..<5, x: 5..<41))
    }

    @Test func aMaskInAnotherOrderIsFoundAndOneElsewhereRefused() throws {
        let volume = ImageSamples.noise(shape, ImageSamples.geometry)
        let ct = try source(volume)
        let mask: Mask = volume.with(volume.voxels.map { $0 > -300 ? 1 : 0 })
        let turned = mask.reoriented(from: ct.orientation, to: .canonical)
        let file = try ImageFile.read(bytes: NIfTIFile.encode(turned), name: "lung.nii.gz")
        #expect(try file.mask(on: ct).voxels == mask.voxels)
        var shifted = mask
        shifted.geometry.affine[3] += 3
        let elsewhere = try ImageFile.read(bytes: NIfTIFile.encode(shifted), name: "lung.nii.gz")
        let error = #expect(throws: ImageFileError.self) { try elsewhere.mask(on: ct) }
        #expect("\(error!)".contains("3.0 mm"))
        let small = try ImageFile.read(bytes: NIfTIFile.encode(ImageSamples.ramp()), name: "lung.nii.gz")
        #expect(throws: ImageFileError.self) { try small.mask(on: ct) }
    }

    @Test func aPlanAndItsSourceCanBeStoredButNotForged() throws {
        let source = try source(ImageSamples.noise(shape, Geometry(spacing: fine)))
        var plan = try ResamplingPlan(source: source, spacing: wanted)
        plan.window = PlaneWindow(startY: -3, startX: 4, height: 24, width: 10)
        let stored = String(decoding: try JSONEncoder().encode(plan), as: UTF8.self)
        #expect(try JSONDecoder().decode(ResamplingPlan.self, from: Data(stored.utf8)) == plan)
        for (good, bad) in [
            ("\"depth\":13", "\"depth\":-13"), ("\"depth\":13", "\"depth\":12"), ("\"RAS\"", "\"RAR\""),
            ("\"height\":24", "\"height\":9000000000000000000"), ("\"startY\":-3", "\"startY\":-9000000000000000000"),
            ("\"yMM\":1.6", "\"yMM\":0"), ("\"affine\":[", "\"affine\":[0,"),
        ] {
            let place = try #require(stored.range(of: good), "\(good)")
            let forged = Data(stored.replacingCharacters(in: place, with: bad).utf8)
            #expect(throws: (any Error).self, "\(bad)") { try JSONDecoder().decode(ResamplingPlan.self, from: forged) }
        }
        let text = String(decoding: try JSONEncoder().encode(source), as: UTF8.self)
        #expect(try JSONDecoder().decode(ImageSource.self, from: Data(text.utf8)) == source)
        let forged = Data(text.replacingOccurrences(of: "\"header\":[", with: "\"header\":[0,").utf8)
        #expect(throws: (any Error).self) { try JSONDecoder().decode(ImageSource.self, from: forged) }
    }

    @Test func aGridBeyondTheLimitsIsRefused() throws {
        let long = Volume<Float>(
            repeating: 0, shape: VolumeShape(depth: 100, height: 2, width: 2),
            geometry: Geometry(spacing: Spacing(zMM: 1000, yMM: 1000, xMM: 1000)))
        let error = #expect(throws: ImageFileError.self) {
            try ResamplingPlan(source: source(long), spacing: Spacing(zMM: 0.1, yMM: 0.1, xMM: 0.1))
        }
        #expect(error?.kind == .limit)
    }
}
