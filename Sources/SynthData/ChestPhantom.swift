import Imaging
import Numerics

/// A made-up chest CT with the truth about it.
public struct ChestPhantom: Sendable {
    /// Which patient to make up.
    public struct Settings: Sendable {
        public var seed: UInt64
        public var index: Int
        /// Distance of the voxels; the grid covers 320 mm along z and 358 mm in the plane.
        public var spacing: Spacing
        public var diseased: Bool
        /// 0 ... 1: from a few small lesions to a third of the lungs and more.
        public var severity: Float

        public init(
            seed: UInt64, index: Int, spacing: Spacing = Spacing(zMM: 2, yMM: 1.6, xMM: 1.6), diseased: Bool,
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

        /// The grid: a multiple of 4 voxels along every axis.
        public var shape: VolumeShape {
            func count(_ extentMM: Double, _ spacingMM: Double) -> Int {
                Int((extentMM / spacingMM / 4).rounded()) * 4
            }
            return VolumeShape(depth: count(320, spacing.zMM), height: count(358.4, spacing.yMM),
                               width: count(358.4, spacing.xMM))
        }
    }

    /// Hounsfield units, whole numbers, -1024 or more; axes along the patient's, RAS+.
    public var ct: Volume<Float>
    /// The lungs with their vessels and lesions; trachea, main bronchi and the wide vessels at the hilum left out.
    public var lung: Mask
    /// The lesions; empty in a healthy phantom, always within `lung`.
    public var lesion: Mask

    /// Makes one up. The same settings give the same bytes on any machine, with any number of threads.
    public static func make(_ settings: Settings, pool: ThreadPool? = nil) -> ChestPhantom {
        ChestPhantomMaker(settings: settings, pool: pool).make()
    }
}

/// The steps from an anatomy to a scan.
struct ChestPhantomMaker {
    let settings: ChestPhantom.Settings
    let pool: ThreadPool?

    private var shape: VolumeShape { settings.shape }
    private var anatomyKey: RandomKey {
        RandomKey(seed: settings.seed, iteration: settings.index, purpose: .phantomAnatomy)
    }
    private var noiseKey: RandomKey {
        RandomKey(seed: settings.seed, iteration: settings.index, purpose: .phantomNoise)
    }

    func make() -> ChestPhantom {
        let workspace = FilterWorkspace()
        var random = anatomyKey.stream(0)
        let anatomy = ChestAnatomy(random: &random, heightMM: Float(shape.depth) * Float(settings.spacing.zMM))
        let tissue = ChestTissue(anatomy: anatomy, shape: shape, spacing: settings.spacing)
        let mottle = noise(sigmaMM: 4, stream: 0, workspace)
        var hu = [Float](repeating: 0, count: shape.voxelCount), depth = hu
        fillTissue(tissue, mottle, &hu, &depth)
        addTexture(anatomy, &hu, depth, workspace)
        let tubes = depth.withUnsafeBufferPointer { ChestTubes(tissue: tissue, depth: $0, key: anatomyKey) }
        var lesion = [UInt8](repeating: 0, count: shape.voxelCount)
        if settings.diseased {
            let grain = noise(sigmaMM: 1.8, stream: 2, workspace)
            PhantomLesions(tissue: tissue, depth: depth, mottle: mottle, grain: grain, settings: settings)
                .add(to: &hu, lesion: &lesion, pool: pool)
        }
        var lung = depth.map { $0 > 0 ? UInt8(1) : 0 }
        addTubes(tubes, tissue, &hu, &lung, depth)
        for index in lesion.indices { lesion[index] &= lung[index] }
        scan(anatomy, &hu, workspace)
        return finish(hu, lung, lesion)
    }

    private func noise(sigmaMM: Double, stream: UInt32, _ workspace: FilterWorkspace) -> [Float] {
        SmoothNoise.field(shape: shape, spacing: settings.spacing, sigmaMM: sigmaMM, stream: noiseKey.stream(stream),
                          pool: pool, workspace: workspace)
    }

    private func fillTissue(_ tissue: ChestTissue, _ mottle: [Float], _ hu: inout [Float], _ depth: inout [Float]) {
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

    private func addTexture(
        _ anatomy: ChestAnatomy, _ hu: inout [Float], _ depth: [Float], _ workspace: FilterWorkspace
    ) {
        let texture = noise(sigmaMM: 1.4, stream: 1, workspace)
        for index in hu.indices where depth[index] > 0 { hu[index] += anatomy.textureHU * texture[index] }
    }

    /// Vessels brighten, walls brighten, then air darkens; the wide ones leave the lung mask.
    private func addTubes(
        _ tubes: ChestTubes, _ tissue: ChestTissue, _ hu: inout [Float], _ lung: inout [UInt8], _ depth: [Float]
    ) {
        let painter = TubePainter(grid: tissue.grid)
        var shares = [Float](repeating: 0, count: shape.voxelCount)
        func draw(_ segments: [TubeSegment], widened: Float = 0, _ use: (Int, Float) -> Void) {
            shares.withUnsafeMutableBufferPointer { buffer in
                buffer.update(repeating: 0)
                painter.paint(segments, widened: widened, into: buffer, pool: pool)
                for (index, share) in buffer.enumerated() where share > 0 { use(index, share) }
            }
        }
        let wideVessels = tubes.vessels.filter { $0.startRadius > ChestTubes.widestVesselInLungMM }
        let wideAirways = tubes.trachea + tubes.airways.filter { $0.startRadius > ChestTubes.widestAirwayInLungMM }
        // A vein may be deep in the chest wall of a thin patient: vessels brighten only lungs and what is darker.
        draw(tubes.vessels) { if depth[$0] > -3, hu[$0] < 45 { hu[$0] += $1 * (45 - hu[$0]) } }
        draw(tubes.airways, widened: 0.9) {
            if depth[$0] > -3, hu[$0] < -50 { hu[$0] += $1 * 0.9 * (-50 - hu[$0]) }
        }
        draw(tubes.trachea, widened: 1.6) { if hu[$0] < 25 { hu[$0] += $1 * (25 - hu[$0]) } }
        draw(tubes.airways) { if depth[$0] > -3 { hu[$0] += $1 * (-985 - hu[$0]) } }
        draw(tubes.trachea) { hu[$0] += $1 * (-995 - hu[$0]) }
        draw(wideVessels) { if $1 > 0.5 { lung[$0] = 0 } }
        draw(wideAirways, widened: 1.6) { if $1 > 0.5 { lung[$0] = 0 } }
    }

    /// The scanner: its blur, its noise, and whole numbers.
    private func scan(_ anatomy: ChestAnatomy, _ hu: inout [Float], _ workspace: FilterWorkspace) {
        let noise = noise(sigmaMM: 1.0, stream: 3, workspace)
        hu.withUnsafeMutableBufferPointer { values in
            let blur = Double(anatomy.blurMM), spacing = settings.spacing
            GaussianFilter.apply(
                values, shape: shape,
                sigmaVoxels: (z: blur / spacing.zMM, y: blur / spacing.yMM, x: blur / spacing.xMM), truncate: 3,
                pool: pool, workspace: workspace)
            for index in values.indices {
                values[index] = max(-1024, (values[index] + anatomy.noiseHU * noise[index]).rounded())
            }
        }
    }

    private func finish(_ hu: [Float], _ lung: [UInt8], _ lesion: [UInt8]) -> ChestPhantom {
        let geometry = PhantomGrid(shape: shape, spacing: settings.spacing).geometry
        return ChestPhantom(ct: Volume(shape: shape, geometry: geometry, voxels: hu),
                            lung: Volume(shape: shape, geometry: geometry, voxels: lung),
                            lesion: Volume(shape: shape, geometry: geometry, voxels: lesion))
    }
}
