import Imaging
import Numerics

/// A made-up CT of the upper abdomen in the portal venous phase with the truth about its liver.
public struct AbdomenPhantom: Sendable {
    /// Which patient to make up.
    public struct Settings: Sendable {
        public var seed: UInt64
        public var index: Int
        /// Distance of the voxels; the grid covers 200 mm along z and 384 mm in the plane.
        public var spacing: Spacing
        public var diseased: Bool
        /// 0 ... 1: from one or two small tumours to a liver full of them.
        public var severity: Float

        /// - Parameter spacing: the default gives 40 slices of 128 x 128; (8, 6, 6) gives 25 of 64 x 64.
        public init(
            seed: UInt64, index: Int, spacing: Spacing = Spacing(zMM: 5, yMM: 3, xMM: 3), diseased: Bool,
            severity: Float = 0.5
        ) {
            precondition(severity >= 0 && severity <= 1, "severity runs from 0 to 1")
            precondition(min(spacing.zMM, spacing.yMM, spacing.xMM) >= 0.4, "a phantom's voxels are 0.4 mm or more")
            precondition(max(spacing.zMM, spacing.yMM, spacing.xMM) <= 12, "a phantom's voxels are 12 mm at most")
            precondition(index >= 0 && index <= Int(UInt32.max), "a phantom's index is a 32-bit number")
            self.seed = seed
            self.index = index
            self.spacing = spacing
            self.diseased = diseased
            self.severity = severity
        }

        /// The grid: whole numbers of voxels.
        public var shape: VolumeShape {
            func count(_ extentMM: Double, _ spacingMM: Double) -> Int { Int((extentMM / spacingMM).rounded()) }
            return VolumeShape(depth: count(200, spacing.zMM), height: count(384, spacing.yMM),
                               width: count(384, spacing.xMM))
        }
    }

    /// Hounsfield units, whole numbers, -1024 or more; axes along the patient's, RAS+.
    public var ct: Volume<Float>
    /// The liver with its vessels and tumours; vena cava and gall bladder left out.
    public var liver: Mask
    /// The tumours; empty in a healthy phantom, always within `liver`.
    public var tumour: Mask

    /// Makes one up. The same settings give the same bytes on any machine, with any number of threads.
    public static func make(_ settings: Settings, pool: ThreadPool? = nil) -> AbdomenPhantom {
        AbdomenPhantomMaker(settings: settings, pool: pool).make()
    }
}

/// The steps from an anatomy to a scan.
struct AbdomenPhantomMaker {
    let settings: AbdomenPhantom.Settings
    let pool: ThreadPool?

    private var shape: VolumeShape { settings.shape }
    private var grid: PhantomGrid { PhantomGrid(shape: shape, spacing: settings.spacing) }

    private func key(_ purpose: RandomPurpose) -> RandomKey {
        RandomKey(seed: settings.seed, iteration: settings.index, purpose: purpose)
    }

    func make() -> AbdomenPhantom {
        let workspace = FilterWorkspace()
        var random = key(.abdomenAnatomy).stream(0)
        let anatomy = AbdomenAnatomy(random: &random, heightMM: Float(shape.depth) * Float(settings.spacing.zMM))
        let mottle = noise(sigmaMM: 6, stream: 0, workspace), grain = noise(sigmaMM: 2, stream: 1, workspace)
        var hu = [Float](repeating: 0, count: shape.voxelCount), depth = hu
        fillTissue(AbdomenTissue(anatomy: anatomy, grid: grid), mottle, &hu, &depth)
        for index in hu.indices where depth[index] > 0 { hu[index] += anatomy.textureHU * grain[index] }
        addVessels(anatomy, &hu, depth)
        var tumour = [UInt8](repeating: 0, count: shape.voxelCount)
        if settings.diseased {
            let tumours = LiverTumours(anatomy: anatomy, grid: grid, depth: depth, mottle: mottle, grain: grain)
            tumours.add(severity: settings.severity, key: key(.abdomenTumours), to: &hu, tumour: &tumour)
        }
        scan(anatomy, &hu, workspace)
        let liver = depth.map { UInt8($0 > 0 ? 1 : 0) }
        let geometry = grid.geometry
        return AbdomenPhantom(ct: Volume(shape: shape, geometry: geometry, voxels: hu),
                              liver: Volume(shape: shape, geometry: geometry, voxels: liver),
                              tumour: Volume(shape: shape, geometry: geometry, voxels: tumour))
    }

    private func noise(sigmaMM: Double, stream: UInt32, _ workspace: FilterWorkspace) -> [Float] {
        SmoothNoise.field(
            shape: shape, spacing: settings.spacing, sigmaMM: sigmaMM, stream: key(.abdomenNoise).stream(stream),
            pool: pool, workspace: workspace)
    }

    private func fillTissue(_ tissue: AbdomenTissue, _ mottle: [Float], _ hu: inout [Float], _ depth: inout [Float]) {
        let slice = shape.sliceVoxelCount
        hu.withUnsafeMutableBufferPointer { hu in
            depth.withUnsafeMutableBufferPointer { depth in
                mottle.withUnsafeBufferPointer { mottle in
                    nonisolated(unsafe) let (hu, depth) = (hu.baseAddress!, depth.baseAddress!)
                    nonisolated(unsafe) let mottle = mottle.baseAddress!
                    runTasks(shape.depth, on: pool) { z in
                        tissue.fill(z: z, hu: hu + z * slice, depth: depth + z * slice, mottle: mottle + z * slice)
                    }
                }
            }
        }
    }

    /// Portal veins from the hilum and hepatic veins from the vena cava, brighter than the liver.
    private func addVessels(_ anatomy: AbdomenAnatomy, _ hu: inout [Float], _ depth: [Float]) {
        var random = key(.abdomenAnatomy).stream(1)
        let inside = depth.indices.filter { depth[$0] > 5 }
        guard !inside.isEmpty else { return }
        func points(_ count: Int) -> [PatientPoint] {
            (0..<count).map { _ in
                let index = inside[random.index(below: inside.count)], row = index / shape.width
                return grid.position(z: row / shape.height, y: row % shape.height, x: index % shape.width)
            }
        }
        var shares = [Float](repeating: 0, count: shape.voxelCount)
        var portal = points(220), hepatic = points(140)
        let tree = BranchingTree(rootRadius: anatomy.portalRadius, leafRadius: 0.8)
        let segments = tree.grow(
            from: anatomy.hilum, direction: PatientPoint(0.9, 0, 0.3), points: &portal, random: &random)
            + tree.grow(from: anatomy.venousRoot, direction: PatientPoint(0.5, 0.5, -0.6), points: &hepatic,
                        random: &random)
        shares.withUnsafeMutableBufferPointer { TubePainter(grid: grid).paint(segments, into: $0, pool: pool) }
        for index in shares.indices where shares[index] > 0 && depth[index] > -4 {
            hu[index] += shares[index] * (anatomy.vesselHU - hu[index])
        }
    }

    /// The scanner: its blur, its noise, and whole numbers.
    private func scan(_ anatomy: AbdomenAnatomy, _ hu: inout [Float], _ workspace: FilterWorkspace) {
        let noise = noise(sigmaMM: 1.0, stream: 2, workspace)
        hu.withUnsafeMutableBufferPointer { values in
            let blur = 0.9, spacing = settings.spacing
            GaussianFilter.apply(
                values, shape: shape,
                sigmaVoxels: (z: blur / spacing.zMM, y: blur / spacing.yMM, x: blur / spacing.xMM), truncate: 3,
                pool: pool, workspace: workspace)
            for index in values.indices {
                values[index] = max(-1024, (values[index] + anatomy.noiseHU * noise[index]).rounded())
            }
        }
    }
}
