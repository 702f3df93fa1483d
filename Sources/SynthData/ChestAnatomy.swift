import Numerics

/// What makes one made-up patient differ from another. Lengths in millimetres, drawn from the ranges of adults.
struct ChestAnatomy {
    /// Half width and half depth of the thoracic cavity, and where the lungs begin (recess) and end (apex) along z.
    var cavityHalfWidth: Float
    var cavityHalfDepth: Float
    var lungBaseZ: Float
    var lungApexZ: Float
    var wallThickness: Float
    var fatThickness: Float
    /// Heights of the diaphragm's domes above the base of the lungs.
    var rightDome: Float
    var leftDome: Float
    var heartCentre: PatientPoint
    var heartRadii: PatientPoint
    var mediastinumHalfWidth: Float
    var spineY: Float
    var carina: PatientPoint
    var tracheaRadius: Float
    var ribPitch: Float
    var ribDrop: Float
    var ribPhase: Float
    /// Amplitude and phases of the slow deformation of everything.
    var warp: [(amplitude: Float, first: Float, second: Float, wavelength: Float)]
    /// Parenchyma: level at mid-height, what it gains from front to back, and its fine texture.
    var parenchymaHU: Float
    var gravityHU: Float
    var textureHU: Float
    var noiseHU: Float
    var blurMM: Float
    var tableGap: Float

    init(random: inout RandomStream, heightMM: Float) {
        let size = random.uniform(0.93, 1.07)
        cavityHalfWidth = size * random.uniform(122, 134)
        cavityHalfDepth = size * random.uniform(80, 93)
        let lungHeight = min(size * random.uniform(215, 250), heightMM * 0.84)
        lungBaseZ = heightMM * 0.5 - lungHeight * 0.5 - random.uniform(0, 0.02) * heightMM
        lungApexZ = lungBaseZ + lungHeight
        wallThickness = random.uniform(14, 18)
        fatThickness = random.uniform(8, 22)
        rightDome = size * random.uniform(62, 82)
        leftDome = rightDome - random.uniform(6, 16)
        let heart = size * random.uniform(0.88, 1.1)
        heartRadii = PatientPoint(55, 43, 52) * heart
        heartCentre = PatientPoint(-random.uniform(16, 26), random.uniform(14, 24), lungBaseZ + lungHeight * 0.36)
        mediastinumHalfWidth = random.uniform(21, 28)
        spineY = -cavityHalfDepth + random.uniform(18, 25)
        carina = PatientPoint(random.uniform(-2, 5), spineY + 38, lungBaseZ + lungHeight * random.uniform(0.58, 0.64))
        tracheaRadius = random.uniform(7.5, 10)
        ribPitch = random.uniform(23, 28)
        ribDrop = random.uniform(55, 80)
        ribPhase = random.uniform(0, 25)
        warp = []
        for _ in 0..<6 {
            warp.append((random.uniform(1.5, 4.5), random.uniform(0, 6.28), random.uniform(0, 6.28),
                         random.uniform(70, 170)))
        }
        parenchymaHU = random.uniform(-895, -840)
        gravityHU = random.uniform(30, 80)
        textureHU = random.uniform(14, 26)
        noiseHU = random.uniform(9, 26)
        blurMM = random.uniform(0.75, 1.0)
        tableGap = random.uniform(2, 6)
    }

    var lungHeight: Float { lungApexZ - lungBaseZ }

    /// Cavity's width at a height, as a share of its width at the base: a dome towards the apex.
    func cavityScale(z: Float) -> Float {
        let t = max(0, (z - lungBaseZ) / lungHeight)
        let fourth = t * t * t * t
        return t >= 1 ? 0 : (1 - 0.6 * fourth - 0.4 * fourth * fourth).squareRoot()
    }

    /// Where the main bronchi enter the lungs; `side` is +1 for the right.
    func hilum(side: Float) -> PatientPoint {
        PatientPoint(carina.x + side * (mediastinumHalfWidth + 13), carina.y - 4, carina.z - (side > 0 ? 24 : 30))
    }
}
