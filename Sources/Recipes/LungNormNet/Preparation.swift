import Imaging
import Numerics

/// From a CT as it is in its file to a volume as the method sees it. method.md A1.
public enum Preparation {
    /// HU that become 0 and 1 (A1.4).
    static let clipHU: ClosedRange<Float> = -800...100

    /// - Parameters:
    ///   - lung: the lung mask on the CT's grid; nil: found by the built-in segmenter.
    ///   - reading: how both files are read; nil: as they are.
    ///   - planeHeight: least height of the plane in voxels; it grows to hold the lungs. Likewise the width.
    ///   - forTraining: takes out erroneous edges (A1.6), never done on a volume that is to be judged.
    ///   - isCancelled: asked between the steps, of which a large CT's take seconds each.
    /// - Throws: `RecipeError.inputRefused` naming the file and what to do; `.interrupted`.
    public static func run(
        ct stored: LoadedImage, lung given: LoadedImage?, reading: ReadingOptions? = nil, preset: Preset,
        planeHeight: Int, planeWidth: Int, forTraining: Bool, pool: ThreadPool,
        isCancelled: () -> Bool = { false }
    ) throws -> PreparedVolume {
        func goOn() throws { if isCancelled() { throw RecipeError.interrupted } }
        try goOn()
        let ct = reading?.applied(to: stored) ?? stored
        let lungMask = try LungMask(
            of: ct, given: given, labels: reading?.labels, pool: pool, isCancelled: isCancelled)
        let sourceLung = lungMask.mask
        try goOn()
        var plan = try refusing { try ResamplingPlan(source: ct.source, spacing: preset.spacing) }
        let lungOnGrid = plan.mask(sourceLung, pool: pool)
        guard let box = lungOnGrid.boundingBox() else {
            throw RecipeError.inputRefused("\(ct.source.name): its lung mask is empty on the grid of preset "
                + "\(preset.name); give a lung mask with --masks")
        }
        // The plane holds the lungs and fits the strides, so that no voxel of lung goes without an answer.
        let multiple = preset.strideProduct
        func fitted(_ least: Int, _ needed: Int) -> Int { (max(least, needed) + multiple - 1) / multiple * multiple }
        plan.window = PlaneWindow(
            centredOn: box, height: fitted(planeHeight, box.y.count), width: fitted(planeWidth, box.x.count))
        try checkSize(plan.preparedShape, name: ct.source.name, preset: preset)
        let warnings = ct.source.warnings + (try ScanExtent.warnings(ct.source)) + ValueLevels(ct).warnings
            + lungMask.continuity.warnings + lungMask.warnings
        try goOn()
        var lung = plan.cut(lungOnGrid, fill: 0)
        var intensity = plan.cut(plan.image(ct.volume, pool: pool), fill: clipHU.lowerBound)
        try goOn()
        scale(&intensity, within: lung)
        let removed = forTraining ? removeErroneousEdges(&intensity, &lung, tau: Float(preset.tau), pool: pool) : 0
        return PreparedVolume(
            intensity: intensity, lung: lung, plan: plan, source: ct.source, sourceLung: sourceLung,
            edgeVoxelsRemoved: removed, warnings: warnings)
    }

    /// A file of a few voxels may be a kilometre long, and each of its slices is filled up to the plane: what becomes
    /// of it is checked before there is memory for it. Refused here, it is one CT; a plane that no data set may have
    /// would be all of them.
    private static func checkSize(_ shape: VolumeShape, name: String, preset: Preset) throws {
        let side = DataSetManifest.planeSideMax
        guard shape.depth <= ImageLimits.axisVoxelCountMax, shape.height <= side, shape.width <= side,
            shape.voxelCount <= ImageLimits.voxelCountMax
        else {
            throw RecipeError.inputRefused("\(name): on the grid of preset \(preset.name) it would have \(shape) "
                + "voxels, in planes that hold its lungs; more than \(side)x\(side) in a plane, "
                + "\(ImageLimits.axisVoxelCountMax) planes or \(ImageLimits.voxelCountMax) in all are not computed "
                + "with: check its voxel size and its lung mask, or crop it to the lungs")
        }
    }

    /// H on a CT's own grid, for votes that were made there.
    public static func intensity(_ ct: Volume<Float>, lung: Mask) -> Volume<Float> {
        var volume = ct
        scale(&volume, within: lung)
        return volume
    }

    /// HU to H: clipped, scaled to [0, 1], 0 outside the lung (A1.4, A1.5).
    private static func scale(_ volume: inout Volume<Float>, within lung: Mask) {
        let low = clipHU.lowerBound, span = clipHU.upperBound - clipHU.lowerBound
        for index in volume.voxels.indices {
            let value = min(max(volume.voxels[index], low), clipHU.upperBound)
            volume.voxels[index] = lung.voxels[index] > 0 ? (value - low) / span : 0
        }
    }

    /// A1.6: bright components that lie mostly on the mask's rim are the chest wall, not lung.
    /// - Returns: how many voxels were taken out of H and M.
    private static func removeErroneousEdges(
        _ intensity: inout Volume<Float>, _ lung: inout Mask, tau: Float, pool: ThreadPool
    ) -> Int {
        let shell = Morphology.boundaryShell(of: lung, pool: pool)
        let bright = lung.with(zip(intensity.voxels, lung.voxels).map { UInt8($0 >= tau && $1 > 0 ? 1 : 0) })
        let components = ConnectedComponents.label(bright, neighbourhood: .full, pool: pool)
        var onShell = [Int](repeating: 0, count: components.count + 1)
        for (label, rim) in zip(components.labels, shell.voxels) where rim > 0 { onShell[Int(label)] += 1 }
        var removed = 0
        for index in lung.voxels.indices {
            let label = Int(components.labels[index])
            guard label > 0, 2 * onShell[label] > components.voxelCounts[label - 1] else { continue }
            lung.voxels[index] = 0
            intensity.voxels[index] = 0
            removed += 1
        }
        return removed
    }

    /// Files' errors are the input's.
    static func refusing<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as ImageFileError {
            throw RecipeError.inputRefused(error.description)
        }
    }
}
