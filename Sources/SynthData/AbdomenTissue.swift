import Imaging
import Numerics

/// Everything of the abdomen that is no vessel of the liver: fills slices with HU and with the depth below the liver's
/// surface. Shapes are distances, roughly, in millimetres, above 0 inside.
struct AbdomenTissue {
    let anatomy: AbdomenAnatomy
    let grid: PhantomGrid
    /// Slow deformation, separable, as in `ChestTissue`.
    private let sines: [(y: [Float], z: [Float])]
    private let waves: [(x: [Float], z: [Float])]

    init(anatomy: AbdomenAnatomy, grid: PhantomGrid) {
        self.anatomy = anatomy
        self.grid = grid
        let (shape, spacing) = (grid.shape, grid.spacing)
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

    /// - Parameters:
    ///   - hu: the slice's HU, the liver filled evenly.
    ///   - depth: millimetres below the liver's surface, negative outside.
    ///   - mottle: slow noise of the slice with unit spread.
    func fill(
        z: Int, hu: UnsafeMutablePointer<Float>, depth: UnsafeMutablePointer<Float>, mottle: UnsafePointer<Float>
    ) {
        let shape = grid.shape
        for y in 0..<shape.height {
            var shift: Float = 0
            for wave in sines { shift += wave.y[y] * wave.z[z] }
            for x in 0..<shape.width {
                let index = y * shape.width + x
                var rise: Float = 0
                for wave in waves { rise += wave.x[x] * wave.z[z] }
                var p = grid.position(z: z, y: y, x: x)
                let skin = ellipticDepth(p.x, p.y, anatomy.bodyHalfWidth, anatomy.bodyHalfDepth)
                depth[index] = -99
                guard skin > 0 else {
                    hu[index] = table(p)
                    continue
                }
                p = p + PatientPoint(shift, 0.7 * rise, 0.5 * shift)
                let cavity = ellipticDepth(p.x, p.y, anatomy.cavityHalfWidth, anatomy.cavityHalfDepth)
                let liver = min(liverDepth(p, cavity: cavity), skin)
                depth[index] = liver
                if liver > 0 {
                    hu[index] = anatomy.liverHU + 1.5 * mottle[index]
                } else {
                    hu[index] = skin < 2 ? 10 : others(p, skin: skin, cavity: cavity, mottle: mottle[index])
                }
            }
        }
    }

    private func liverDepth(_ p: PatientPoint, cavity: Float) -> Float {
        let right = ellipsoid(p, anatomy.rightCentre, anatomy.rightRadii)
        let left = ellipsoid(p, anatomy.leftCentre, anatomy.leftRadii)
        // Both lobes, melted together where they meet.
        let melt: Float = 14, overlap = max(0, melt - abs(right - left)) / melt
        var depth = max(right, left) + 0.25 * melt * overlap * overlap
        let margin = p.z - anatomy.liverZ + 78 - anatomy.marginSlope * (anatomy.cavityHalfWidth - p.x)
        depth = min(depth, min(0.9 * margin, min(cavity - 3, belowDiaphragm(p) - 2)))
        // The fissure of the round ligament.
        if p.z < anatomy.liverZ + 8, p.y > 0.3 * anatomy.cavityHalfDepth {
            depth = min(depth, abs(p.x - 12 - 0.1 * p.y) - 2.5)
        }
        depth = min(depth, -gallBladder(p) - 1)
        depth = min(depth, hypotenuse(p.x - anatomy.venaCava.x, p.y - anatomy.venaCava.y) - 13)
        depth = min(depth, -ellipsoid(p, anatomy.rightKidney, PatientPoint(34, 32, 58)))
        return min(depth, hypotenuse(p.x, 0.9 * (p.y - anatomy.spineY)) - 40)
    }

    /// Positive below the diaphragm.
    private func belowDiaphragm(_ p: PatientPoint) -> Float {
        let half = anatomy.cavityHalfWidth, isRight = p.x > -5
        let u = (p.x - (isRight ? 0.42 : -0.5) * half) / (0.62 * half), v = (p.y - 4) / anatomy.cavityHalfDepth
        let dome = anatomy.domeHeight - (isRight ? 0 : 12)
        return (anatomy.liverZ + dome * (1 - 0.75 * u * u - 0.85 * v * v) + 6 - p.z) * 0.8
    }

    private func gallBladder(_ p: PatientPoint) -> Float {
        ellipsoid(p, anatomy.gallBladder, anatomy.gallBladderRadii)
    }

    /// HU of what is not the liver.
    private func others(_ p: PatientPoint, skin: Float, cavity: Float, mottle: Float) -> Float {
        if let bone = spine(p, mottle: mottle) { return bone }
        let fat: Float = -102 + 5 * mottle, muscle: Float = 60 + 4 * mottle
        if cavity < 0 {
            if skin < anatomy.fatThickness + 1.5 * mottle { return fat }
            return rib(p, outward: -cavity) ?? muscle
        }
        if hypotenuse(p.x - anatomy.aorta.x, p.y - anatomy.aorta.y) < 10 { return anatomy.vesselHU + 12 }
        if hypotenuse(p.x - anatomy.venaCava.x, p.y - anatomy.venaCava.y) < 12 { return anatomy.vesselHU - 6 }
        // Back muscles beside the spine.
        if p.y < anatomy.spineY - 4 + 2 * mottle { return muscle }
        if belowDiaphragm(p) < 0 {
            let heart = ellipsoid(p, PatientPoint(-22, 18, anatomy.liverZ + anatomy.domeHeight + 30),
                                  PatientPoint(62, 50, 48))
            return heart > 0 ? 125 + 4 * mottle : -860 + 22 * mottle
        }
        if gallBladder(p) > 0 { return 8 }
        for kidney in [anatomy.rightKidney, anatomy.leftKidney] {
            let depth = ellipsoid(p, kidney, PatientPoint(27, 25, 50))
            if depth > 0 { return depth > 13 ? -60 : depth > 7 + mottle ? anatomy.kidneyHU - 40 : anatomy.kidneyHU }
        }
        if ellipsoid(p, anatomy.spleen, anatomy.spleenRadii) > 0 { return anatomy.spleenHU + 2 * mottle }
        let stomach = ellipsoid(p, anatomy.stomach, anatomy.stomachRadii)
        if stomach > 0 {
            if stomach < 4 { return 75 }
            return p.y > anatomy.stomach.y + 12 ? -950 : 22 + 8 * mottle
        }
        return bowel(p, mottle: mottle) ?? fat
    }

    /// Loops in front of the kidneys and below the liver, some with gas.
    private func bowel(_ p: PatientPoint, mottle: Float) -> Float? {
        guard p.y > anatomy.spineY + 40, p.z < anatomy.liverZ + 20 else { return nil }
        if mottle > 1.5 { return -850 }
        return mottle > 0.15 ? 42 + 14 * mottle : nil
    }

    private func spine(_ p: PatientPoint, mottle: Float) -> Float? {
        let x = p.x, y = p.y - anatomy.spineY
        let body = 20 - hypotenuse(x, 1.2 * y), canal = hypotenuse(x, y + 25) - 9
        if canal < 0 { return 30 }
        // A disc every 32 mm.
        let level = (p.z + anatomy.ribPhase) / 32, isDisc = level - level.rounded(.down) < 0.2
        if body > 0 { return isDisc ? 85 : body < 2.5 ? 520 : 210 + 25 * mottle }
        let arch = 14 - hypotenuse(x, y + 25), process = 3.5 - abs(x)
        return max(arch, y < -25 && y > -48 ? process : -1) > 0 ? 380 + 30 * mottle : nil
    }

    private func rib(_ p: PatientPoint, outward: Float) -> Float? {
        guard outward > 2, outward < 10 else { return nil }
        let level = (p.z + 0.45 * p.y + anatomy.ribPhase) / anatomy.ribPitch, place = level - level.rounded(.down)
        guard place < 0.42, abs(p.x) > 45 else { return nil }
        let isShell = min(min(outward - 2, 10 - outward), min(place, 0.42 - place) * anatomy.ribPitch) < 1.8
        return isShell ? 480 : 170
    }

    /// Air around the patient, and the scanner's table under the back.
    private func table(_ p: PatientPoint) -> Float {
        let below = -anatomy.bodyHalfDepth - 4 + p.x * p.x * 0.0012 - p.y
        guard abs(p.x) < 205, below > 0, below < 22 else { return -1000 }
        return below < 3 || below > 19 ? -180 : -930
    }

    private func hypotenuse(_ a: Float, _ b: Float) -> Float { (a * a + b * b).squareRoot() }

    private func ellipsoid(_ p: PatientPoint, _ centre: PatientPoint, _ radii: PatientPoint) -> Float {
        let d = p - centre, q = PatientPoint(d.x / radii.x, d.y / radii.y, d.z / radii.z)
        let norm = q.length
        let radius = norm > 0.2 ? d.length / norm : min(radii.x, min(radii.y, radii.z))
        return (1 - norm) * radius
    }

    /// A squarish ellipse in the plane.
    private func ellipticDepth(_ x: Float, _ y: Float, _ a: Float, _ b: Float) -> Float {
        let u = x * x / (a * a), v = y * y / (b * b)
        let norm = max(u + v - 0.25 * u * v, 1e-6).squareRoot()
        let radius = norm > 0.3 ? hypotenuse(x, y) / norm : min(a, b)
        return (1 - norm) * radius
    }
}
