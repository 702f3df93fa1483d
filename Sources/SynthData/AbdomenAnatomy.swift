import Numerics

/// What makes one made-up abdomen differ from another. Lengths in millimetres, drawn from the ranges of adults.
struct AbdomenAnatomy {
    var bodyHalfWidth: Float
    var bodyHalfDepth: Float
    var fatThickness: Float
    var muscleThickness: Float
    /// Middle of the liver along z, and where the diaphragm's right dome ends above it.
    var liverZ: Float
    var domeHeight: Float
    /// Right and left lobe: an ellipsoid each.
    var rightCentre: PatientPoint
    var rightRadii: PatientPoint
    var leftCentre: PatientPoint
    var leftRadii: PatientPoint
    /// How far the liver's lower margin rises on the way from right to left.
    var marginSlope: Float
    var gallBladder: PatientPoint
    var gallBladderRadii: PatientPoint
    var rightKidney: PatientPoint
    var leftKidney: PatientPoint
    var spleen: PatientPoint
    var spleenRadii: PatientPoint
    var stomach: PatientPoint
    var stomachRadii: PatientPoint
    var spineY: Float
    var ribPitch: Float
    var ribPhase: Float
    /// Amplitudes, phases and wavelengths of the slow deformation of everything.
    var warp: [(amplitude: Float, first: Float, second: Float, wavelength: Float)]
    /// Contrast medium: HU of the liver, of its veins, of the spleen and of kidneys; the liver's texture.
    var liverHU: Float
    var vesselHU: Float
    var spleenHU: Float
    var kidneyHU: Float
    var textureHU: Float
    var noiseHU: Float
    var portalRadius: Float

    init(random: inout RandomStream, heightMM: Float) {
        let size = random.uniform(0.92, 1.08)
        bodyHalfWidth = size * random.uniform(148, 166)
        bodyHalfDepth = size * random.uniform(104, 120)
        fatThickness = random.uniform(9, 22)
        muscleThickness = random.uniform(11, 16)
        liverZ = heightMM * random.uniform(0.47, 0.53)
        domeHeight = size * random.uniform(62, 76)
        let width = bodyHalfWidth - fatThickness - muscleThickness
        let depth = bodyHalfDepth - fatThickness - muscleThickness
        rightCentre = PatientPoint(width * random.uniform(0.42, 0.50), depth * random.uniform(-0.10, 0.05), liverZ)
        rightRadii = PatientPoint(width * random.uniform(0.58, 0.66), depth * random.uniform(0.86, 1.0),
                                  size * random.uniform(78, 92))
        leftCentre = PatientPoint(random.uniform(-18, 8), depth * random.uniform(0.38, 0.5), liverZ + 22)
        leftRadii = PatientPoint(size * random.uniform(62, 92), size * random.uniform(36, 46),
                                 size * random.uniform(32, 44))
        marginSlope = random.uniform(0.38, 0.6)
        gallBladder = PatientPoint(random.uniform(32, 48), depth * random.uniform(0.3, 0.5), liverZ - 34)
        gallBladderRadii = PatientPoint(random.uniform(11, 15), random.uniform(15, 22), random.uniform(22, 30))
        spineY = -bodyHalfDepth + fatThickness + random.uniform(36, 44)
        rightKidney = PatientPoint(random.uniform(52, 60), spineY + random.uniform(2, 10), liverZ - 62)
        leftKidney = PatientPoint(-random.uniform(52, 60), spineY + random.uniform(2, 10), liverZ - 40)
        spleen = PatientPoint(-width * random.uniform(0.7, 0.78), depth * random.uniform(-0.5, -0.35), liverZ + 16)
        spleenRadii = PatientPoint(size * random.uniform(24, 32), size * random.uniform(36, 46),
                                   size * random.uniform(42, 54))
        stomach = PatientPoint(-width * random.uniform(0.42, 0.55), depth * random.uniform(0.2, 0.35), liverZ + 2)
        stomachRadii = PatientPoint(random.uniform(30, 44), random.uniform(30, 42), random.uniform(40, 56))
        ribPitch = random.uniform(24, 29)
        ribPhase = random.uniform(0, 25)
        warp = []
        for _ in 0..<6 {
            warp.append((random.uniform(1.5, 4), random.uniform(0, 6.28), random.uniform(0, 6.28),
                         random.uniform(80, 180)))
        }
        // One liver in five is fatty, and darker.
        liverHU = random.uniform() < 0.2 ? random.uniform(62, 85) : random.uniform(88, 122)
        vesselHU = liverHU + random.uniform(38, 66)
        spleenHU = random.uniform(105, 132)
        kidneyHU = random.uniform(150, 195)
        textureHU = random.uniform(2, 5)
        noiseHU = random.uniform(7, 15)
        portalRadius = random.uniform(5.5, 7.5)
    }

    var cavityHalfWidth: Float { bodyHalfWidth - fatThickness - muscleThickness }
    var cavityHalfDepth: Float { bodyHalfDepth - fatThickness - muscleThickness }
    /// Axes of the vena cava and the aorta in the plane; both run along z.
    var venaCava: (x: Float, y: Float) { (20, spineY + 34) }
    var aorta: (x: Float, y: Float) { (-12, spineY + 32) }
    /// Where the portal vein enters the liver, and where the hepatic veins leave it.
    var hilum: PatientPoint { PatientPoint(24, spineY + 58, liverZ - 8) }
    var venousRoot: PatientPoint { PatientPoint(venaCava.x + 6, venaCava.y + 8, liverZ + 0.62 * domeHeight) }
}
