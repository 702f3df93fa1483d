/// Ribs, spine, breast bone and shoulder blades.
struct ChestBones {
    let anatomy: ChestAnatomy

    /// - Parameters:
    ///   - outward: millimetres outside the thoracic cavity, negative inside.
    ///   - mottle: slow noise, for the marrow.
    /// - Returns: HU where there is bone.
    func hounsfield(_ p: PatientPoint, outward: Float, mottle: Float) -> Float? {
        if outward > 1, outward < 13, let rib = rib(p, outward: outward) { return rib }
        if p.y < anatomy.spineY + 24, abs(p.x) < 42, let spine = spine(p, mottle: mottle) { return spine }
        if outward > 0, p.y > 0, abs(p.x + 1) < 17, outward < 11, p.z > anatomy.lungBaseZ + 0.42 * anatomy.lungHeight {
            return outward < 2.5 || outward > 8.5 || abs(p.x + 1) > 14.5 ? 420 : 110 + 25 * mottle
        }
        return shoulderBlade(p, outward: outward)
    }

    private func rib(_ p: PatientPoint, outward: Float) -> Float? {
        let length = (p.x * p.x + p.y * p.y).squareRoot()
        // From -1 at the back to 1 at the front.
        let around = p.y / max(length, 1)
        if around > 0.97 || p.z > anatomy.lungApexZ + 8 { return nil }
        let path = p.z + anatomy.ribDrop * (around + 1) * 0.5 + anatomy.ribPhase
        let rib = path / anatomy.ribPitch, nearest = (rib + 0.5).rounded(.down)
        let across = (rib - nearest) * anatomy.ribPitch / 6.2, through = (outward - 7) / 4.6
        let inside = across * across + through * through
        if inside > 1 { return nil }
        if around > 0.72 { return 120 }
        return inside > 0.5 ? 620 : 190
    }

    private func spine(_ p: PatientPoint, mottle: Float) -> Float? {
        let y = p.y - anatomy.spineY
        let body = (p.x * p.x / (20 * 20) + y * y / (17 * 17)).squareRoot()
        let along = p.z / anatomy.ribPitch, disc = abs(along - along.rounded()) * anatomy.ribPitch < 2.8
        if body < 1 { return disc ? 75 : (body > 0.86 ? 480 : 170 + 40 * mottle) }
        let canal = (p.x * p.x + (y + 25) * (y + 25)).squareRoot()
        if canal < 8.5 { return 25 }
        if canal < 12 { return 520 }
        let spinous = abs(p.x) < 3.2 && y < -35 && y > -58 && !disc
        let transverse = abs(p.x) < 36 && abs(y + 25 + 0.12 * abs(p.x)) < 4.2
            && abs(along - along.rounded()) * anatomy.ribPitch > 5
        return spinous || transverse ? 340 : nil
    }

    private func shoulderBlade(_ p: PatientPoint, outward: Float) -> Float? {
        let t = (p.z - anatomy.lungBaseZ) / anatomy.lungHeight
        guard t > 0.5, t < 1.02, p.y < 8, p.y > -anatomy.cavityHalfDepth, abs(p.x) > 52 else { return nil }
        let plate = outward - 20 - 10 * (t - 0.5)
        return abs(plate) < 2.6 ? (abs(plate) > 1.2 ? 500 : 250) : nil
    }
}
