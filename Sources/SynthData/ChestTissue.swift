import Imaging
import Numerics

/// Everything of the chest that is not a tube: fills slices with HU and with the depth below the lung's surface.
struct ChestTissue {
    let anatomy: ChestAnatomy
    let shape: VolumeShape
    let spacing: Spacing
    /// Slow deformation, separable: x is moved by warpX[y] * warpX2[z], and so on.
    private let sines: [(y: [Float], z: [Float])]
    private let waves: [(x: [Float], z: [Float])]

    init(anatomy: ChestAnatomy, shape: VolumeShape, spacing: Spacing) {
        self.anatomy = anatomy
        self.shape = shape
        self.spacing = spacing
        func table(_ count: Int, _ step: Double, _ amplitude: Float, _ phase: Float, _ wavelength: Float) -> [Float] {
            (0..<count).map {
                amplitude * Float(Portable.sin(2 * .pi * Double($0) * step / Double(wavelength) + Double(phase)))
            }
        }
        sines = anatomy.warp[0..<3].map {
            (table(shape.height, spacing.yMM, $0.amplitude, $0.first, $0.wavelength),
             table(shape.depth, spacing.zMM, 1, $0.second, $0.wavelength))
        }
        waves = anatomy.warp[3..<6].map {
            (table(shape.width, spacing.xMM, $0.amplitude, $0.first, $0.wavelength),
             table(shape.depth, spacing.zMM, 1, $0.second, $0.wavelength))
        }
    }

    var grid: PhantomGrid { PhantomGrid(shape: shape, spacing: spacing) }

    /// A voxel's centre before the deformation.
    func position(z: Int, y: Int, x: Int) -> PatientPoint { grid.position(z: z, y: y, x: x) }

    /// - Parameters:
    ///   - hu: the slice's HU, lungs filled with plain parenchyma.
    ///   - depth: millimetres below the lung's surface, negative outside (roughly a distance).
    ///   - mottle: slow noise of the slice with unit spread: fat between muscles and around vessels.
    func fill(
        z: Int, hu: UnsafeMutablePointer<Float>, depth: UnsafeMutablePointer<Float>, mottle: UnsafePointer<Float>
    ) {
        for y in 0..<shape.height {
            var shift: Float = 0
            for wave in sines { shift += wave.y[y] * wave.z[z] }
            for x in 0..<shape.width {
                var p = position(z: z, y: y, x: x)
                let index = y * shape.width + x
                if outsideBody(p) {
                    depth[index] = -99
                    hu[index] = table(p) ?? -1000
                    continue
                }
                var rise: Float = 0
                for wave in waves { rise += wave.x[x] * wave.z[z] }
                let skin = skinDepth(p)
                p.x += shift
                p.y += 0.7 * rise
                p.z += 0.5 * shift
                let cavity = cavityDepth(p)
                let lung = min(cavity, min(-mediastinum(p), overDiaphragm(p)))
                depth[index] = lung
                if lung > 0 {
                    hu[index] = anatomy.parenchymaHU - anatomy.gravityHU * p.y / anatomy.cavityHalfDepth
                } else if skin < 0 {
                    hu[index] = table(p) ?? -1000
                } else {
                    hu[index] = solid(p, skin: skin, cavity: cavity, mottle: mottle[index])
                }
            }
        }
    }

    /// Quick and generous: no body beyond this box.
    private func outsideBody(_ p: PatientPoint) -> Bool {
        abs(p.x) > bodyHalfWidth(p.z) || abs(p.y) > bodyHalfDepth(p.z)
    }

    private func bodyHalfWidth(_ z: Float) -> Float {
        let t = (z - anatomy.lungBaseZ) / anatomy.lungHeight
        let shoulders = max(0, min(1, (t - 0.7) * 4)) * 16, neck = max(0, t - 0.97) * 240
        return anatomy.cavityHalfWidth + anatomy.wallThickness + anatomy.fatThickness + 6 + shoulders - min(neck, 70)
    }

    private func bodyHalfDepth(_ z: Float) -> Float {
        let t = (z - anatomy.lungBaseZ) / anatomy.lungHeight
        let neck = max(0, t - 0.85) * 90
        return anatomy.cavityHalfDepth + anatomy.wallThickness + 0.8 * anatomy.fatThickness + 8 - min(neck, 30)
    }

    private func skinDepth(_ p: PatientPoint) -> Float {
        ellipticDepth(p.x, p.y, bodyHalfWidth(p.z), bodyHalfDepth(p.z), squareness: 0.32)
    }

    private func cavityDepth(_ p: PatientPoint) -> Float {
        let scale = anatomy.cavityScale(z: p.z)
        if scale < 0.05 { return -40 }
        // The apex leans back, behind the collar bone.
        let t = max(0, (p.z - anatomy.lungBaseZ) / anatomy.lungHeight)
        let lean = 22 * t * t * t
        return ellipticDepth(p.x, p.y + lean, anatomy.cavityHalfWidth * scale,
                             anatomy.cavityHalfDepth * (0.15 + 0.85 * scale), squareness: 0.2)
    }

    /// Roughly the distance to a squarish ellipse, positive inside.
    private func ellipticDepth(_ x: Float, _ y: Float, _ a: Float, _ b: Float, squareness: Float) -> Float {
        let u = x * x / (a * a), v = y * y / (b * b)
        let rho = max(u + v - squareness * u * v, 1e-6).squareRoot()
        let radius = rho > 0.3 ? (x * x + y * y).squareRoot() / rho : min(a, b)
        return (1 - rho) * radius
    }

    /// Positive where the lungs give way to heart, great vessels, spine and fat; roughly a distance.
    private func mediastinum(_ p: PatientPoint) -> Float {
        let spine = 26 - hypotenuse(p.x, 0.9 * (p.y - anatomy.spineY))
        let pedicle = ellipticDepth(p.x - 1, p.y - anatomy.spineY - 44, anatomy.mediastinumHalfWidth, 42,
                                    squareness: 0.1)
        let wedge = 5 + max(0, p.y - 0.45 * anatomy.cavityHalfDepth) * 0.12 - abs(p.x + 4)
        var inside = max(max(spine, pedicle), wedge)
        inside = max(inside, heart(p))
        inside = max(inside, 13 - descendingAorta(p))
        for side: Float in [1, -1] {
            let h = anatomy.hilum(side: side)
            let d = PatientPoint((p.x - h.x + side * 8) / 15, (p.y - h.y) / 17, (p.z - h.z) / 24)
            inside = max(inside, (1 - d.length) * 15)
        }
        return inside
    }

    private func heart(_ p: PatientPoint) -> Float {
        let d = p - anatomy.heartCentre, r = anatomy.heartRadii
        // Its axis points forward, left and down.
        let q = PatientPoint((d.x * 0.88 - d.y * 0.3 + d.z * 0.25) / r.x, (d.y * 0.92 + d.x * 0.3) / r.y,
                             (d.z * 0.95 - d.x * 0.25) / r.z)
        return (1 - q.length) * 48
    }

    /// Distance to the axis of the aorta from the arch down.
    private func descendingAorta(_ p: PatientPoint) -> Float {
        let arch = anatomy.carina.z + 22
        let planar = hypotenuse(p.x + 24, p.y - anatomy.spineY - 16)
        return p.z < arch ? planar : hypotenuse(planar, p.z - arch)
    }

    private func overDiaphragm(_ p: PatientPoint) -> Float {
        let half = anatomy.cavityHalfWidth
        let (dome, centre) = p.x > 0 ? (anatomy.rightDome, 0.46 * half) : (anatomy.leftDome, -0.48 * half)
        let u = (p.x - centre) / (0.60 * half), v = (p.y - 6) / (0.98 * anatomy.cavityHalfDepth)
        return (p.z - anatomy.lungBaseZ - dome * (1 - 0.85 * u * u - 0.95 * v * v)) * 0.75
    }

    private func hypotenuse(_ a: Float, _ b: Float) -> Float { (a * a + b * b).squareRoot() }

    /// HU of the tissues around the lungs.
    private func solid(_ p: PatientPoint, skin: Float, cavity: Float, mottle: Float) -> Float {
        if skin < 1.8 { return 10 }
        if let bone = ChestBones(anatomy: anatomy).hounsfield(p, outward: -cavity, mottle: mottle) { return bone }
        let fat: Float = -102 + 5 * mottle, muscle: Float = 52 + 4 * mottle
        if cavity < 0 {
            if skin < anatomy.fatThickness + 1.5 * mottle || mottle > 1.6 { return fat }
            // Layers of muscle with fat between them.
            let layer = -cavity - 13 + 3 * mottle
            return cavity > -13 || abs(layer - 8) > 1.8 ? muscle : fat
        }
        if overDiaphragm(p) < 0 && cavity > -1 { return abdomen(p, mottle: mottle) }
        let heartDepth = heart(p)
        if heartDepth > 0 { return heartDepth < 6 + 3 * mottle ? -70 : 42 + 3 * mottle }
        if descendingAorta(p) < 12 { return 44 }
        if hypotenuse(p.x - 20, p.y - anatomy.spineY - 48) < 9 { return 43 }
        if hypotenuse(p.x + 8, p.y - anatomy.spineY - 22) < 7 { return 36 }
        let arch = hypotenuse(p.z - anatomy.carina.z - 20, p.x + 10 + 0.3 * (p.y - anatomy.spineY - 40))
        if arch < 12 && abs(p.y - anatomy.spineY - 40) < 30 { return 44 }
        if hypotenuse(p.z - anatomy.carina.z + 16, p.y - anatomy.spineY - 52) < 13 { return 42 }
        return mottle > 0.9 ? 38 : -88 + 8 * mottle
    }

    private func abdomen(_ p: PatientPoint, mottle: Float) -> Float {
        if p.x > -18 { return 57 + 3 * mottle }
        let stomach = PatientPoint((p.x + 62) / 26, (p.y - 24) / 24, (p.z - anatomy.lungBaseZ - 8) / 30)
        let inside = stomach.dot(stomach)
        if inside < 1 { return p.y > 28 && inside < 0.8 ? -940 : 32 }
        return p.y < 5 ? 48 + 3 * mottle : (mottle > 0.2 ? 45 : -96)
    }

    /// The scanner's table: a thin curved shell around foam.
    private func table(_ p: PatientPoint) -> Float? {
        let top = -bodyHalfDepth(anatomy.lungBaseZ) - anatomy.tableGap + p.x * p.x * 0.0012
        let below = top - p.y
        guard abs(p.x) < 215, below > 0, below < 22 else { return nil }
        return below < 2.5 || below > 19.5 ? -180 : -930
    }
}
