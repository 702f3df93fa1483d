import Imaging
import Numerics

/// Twice what both hold over what each holds.
func dice(_ a: Mask, _ b: Mask) -> Double {
    let both = zip(a.voxels, b.voxels).count { $0 & $1 != 0 }
    return 2 * Double(both) / Double(a.voxels.count { $0 != 0 } + b.voxels.count { $0 != 0 })
}

/// A chest of ellipsoids in HU: body, lungs with a consolidation at the pleura, trachea with bronchi, a table of foam.
struct DrawnChest {
    static let spacing = Spacing(zMM: 3, yMM: 2, xMM: 2)
    static let shape = VolumeShape(depth: 90, height: 160, width: 190)
    var volume = Volume<Float>(repeating: -1000, shape: shape, geometry: Geometry(spacing: spacing))
    var lung = Mask(repeating: 0, shape: shape, geometry: Geometry(spacing: spacing))
    var trachea = Mask(repeating: 0, shape: shape, geometry: Geometry(spacing: spacing))

    private let outsideHU: Float

    /// - Parameters:
    ///   - noiseHU: standard deviation; 0 draws every tissue in one value.
    ///   - outsideHU: outside of the scanner's round field of view.
    init(noiseHU: Float = 25, outsideHU: Float = -2000) {
        self.outsideHU = outsideHU
        var stream = RandomKey(seed: 11, purpose: .phantomNoise).stream()
        for z in 0..<Self.shape.depth {
            for y in 0..<Self.shape.height {
                for x in 0..<Self.shape.width { draw(z, y, x, noise: stream.normal() * noiseHU) }
            }
        }
    }

    private mutating func draw(_ z: Int, _ y: Int, _ x: Int, noise: Float) {
        // Millimetres from the middle.
        let point = (z: Double(z) * 3 - 135, y: Double(y) * 2 - 170, x: Double(x) * 2 - 190)
        func within(_ centre: (Double, Double, Double), _ radii: (Double, Double, Double)) -> Bool {
            let (dz, dy, dx) = (point.z - centre.0, point.y - centre.1, point.x - centre.2)
            return dz * dz / (radii.0 * radii.0) + dy * dy / (radii.1 * radii.1) + dx * dx / (radii.2 * radii.2) < 1
        }
        var value: Float = -1000
        if point.y > -160 && point.y < -125 && abs(point.x) < 170 {
            value = point.y > -155 && point.y < -130 && abs(point.x) < 165 ? -930 : 150
        }
        if within((0, 0, 0), (1e6, 115, 165)) { value = 30 }
        let isLung = within((-10, 0, -70), (115, 80, 55)) || within((-10, 0, 70), (115, 80, 55))
        if isLung {
            value = within((0, -70, -75), (14, 14, 9)) ? 20 : -850
            lung[z, y, x] = 1
        }
        let bronchus = abs(point.z - abs(point.x) * -0.6 - 10) < 8 && abs(point.y) < 7 && abs(point.x) < 26
        if !isLung && (bronchus || point.z > 10 && within((0, 0, 0), (1e6, 10, 10))) {
            value = -1000
            trachea[z, y, x] = 1
        }
        // Outside of the scanner's round field of view lies padding.
        let isSeen = point.x * point.x + point.y * point.y < 185 * 185
        volume[z, y, x] = isSeen ? value + noise : outsideHU
    }
}

