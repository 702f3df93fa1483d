import Imaging
import Testing

@Suite struct OrientationTests {
    /// All 48: three axes in any order, each in either direction.
    static let codes: [String] = {
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
        let letters = [["R", "L"], ["A", "P"], ["S", "I"]]
        return orders.flatMap { order in (0..<8).map { bits in order.map { letters[$0][bits >> $0 & 1] }.joined() } }
    }()

    @Test(arguments: codes) func everyOrientationGoesToCanonicalAndBackExactly(code: String) throws {
        let orientation = try #require(Orientation(code: code))
        let start = ImageSamples.ramp(ImageSamples.shape, Geometry(affine: [2, 0.1, 0, -9, 0, 3, 0.2, 4, 0.1, 0, 5, 7]))
        let stored = start.reoriented(from: .canonical, to: orientation)
        #expect(Orientation(nearestTo: stored.geometry) == orientation)
        #expect(orientation.description == code)

        let canonical = stored.canonical()
        #expect(canonical.voxels == start.voxels)
        #expect(canonical.shape == start.shape)
        #expect(ImageSamples.distance(canonical.geometry, start.geometry) < 1e-12)
        #expect(canonical.reoriented(from: .canonical, to: orientation).voxels == stored.voxels)
    }

    @Test(arguments: codes) func everyVoxelStaysWhereItIsInThePatient(code: String) throws {
        let start = ImageSamples.ramp(VolumeShape(depth: 2, height: 3, width: 4), ImageSamples.geometry)
        let from = Orientation(nearestTo: start.geometry)
        let moved = start.reoriented(from: from, to: try #require(Orientation(code: code)))
        var places: [Float: (right: Double, anterior: Double, superior: Double)] = [:]
        for (z, y, x) in indexes(start.shape) {
            places[start[z, y, x]] = start.geometry.positionMM(z: Double(z), y: Double(y), x: Double(x))
        }
        for (z, y, x) in indexes(moved.shape) {
            let place = moved.geometry.positionMM(z: Double(z), y: Double(y), x: Double(x))
            let before = try #require(places[moved[z, y, x]])
            #expect(abs(place.right - before.right) < 1e-9)
            #expect(abs(place.anterior - before.anterior) < 1e-9)
            #expect(abs(place.superior - before.superior) < 1e-9)
        }
    }

    @Test func nonsenseIsNoOrientation() {
        for code in ["", "RA", "RAX", "RRS", "RASI", "ras", "RLS"] { #expect(Orientation(code: code) == nil) }
    }

    private func indexes(_ shape: VolumeShape) -> [(Int, Int, Int)] {
        (0 ..< shape.voxelCount).map {
            ($0 / shape.sliceVoxelCount, $0 / shape.width % shape.height, $0 % shape.width)
        }
    }
}
