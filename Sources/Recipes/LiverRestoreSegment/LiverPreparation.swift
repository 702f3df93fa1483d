import Imaging
import Numerics

/// From a CT as it is in its file, and its liver, to slices as the networks see them (method.md B; liver paper, section
/// 4.1). In this order, which is the authors': clip to -200 ... 250 HU and scale to 0 ... 255, rounded to the nearest
/// whole number (a half up); 0 outside of the liver; equalise the histogram, slice by slice, on the file's own grid;
/// make it `size` x `size` pixels.
public enum LiverPreparation {
    /// - Parameters:
    ///   - liver: a mask on the CT's grid, in any orientation. LiTS: labels above 0, tumours being in the liver.
    ///   - tumour: likewise; nil: unknown. LiTS: the same file, label 2.
    ///   - liverLabels: those of the file that are liver; nil: all but 0. Likewise the tumours'.
    ///   - isCancelled: asked between the steps.
    /// - Throws: `RecipeError.inputRefused` naming the file and what to do; `.interrupted`.
    public static func run(
        ct: LoadedImage, liver: LoadedImage, tumour: LoadedImage? = nil, liverLabels: Set<Int>? = nil,
        tumourLabels: Set<Int>? = nil, settings: LiverSliceSettings, pool: ThreadPool,
        isCancelled: () -> Bool = { false }
    ) throws -> PreparedLiver {
        func goOn() throws { if isCancelled() { throw RecipeError.interrupted } }
        try settings.validate()
        let liverReading = try Preparation.refusing { try liver.maskReading(on: ct.source, labels: liverLabels) }
        let tumourReading = try tumour.map { file in
            try Preparation.refusing { try file.maskReading(on: ct.source, labels: tumourLabels) }
        }
        try goOn()
        let plan = try Preparation.refusing {
            try ResamplingPlan(source: ct.source, planeHeight: settings.size, planeWidth: settings.size)
        }
        func upright<Value>(_ volume: Volume<Value>) -> Volume<Value> {
            volume.reoriented(from: ct.source.orientation, to: .canonical)
        }
        let mask = upright(liverReading.mask), slices = sliceIndexes(mask)
        guard !slices.isEmpty else {
            throw RecipeError.inputRefused(
                "\(liver.source.name): the liver mask is empty; give one with the liver in it")
        }
        try goOn()
        let equalised = equalise(upright(ct.volume), liver: mask, slices: slices, settings: settings, pool: pool)
        guard equalised.voxels.contains(where: { $0 > 0 }) else {
            throw RecipeError.inputRefused("\(ct.source.name): all of its liver is at -200 HU or below, so nothing is "
                + "seen in it; check that the CT is in Hounsfield units and that the mask \(liver.source.name) is "
                + "its own")
        }
        try goOn()
        let mapping = mapping(plan, sliceCount: slices.count)
        let smaller = mapping.linear(equalised, pool: pool)
        let pixels = smaller.with(smaller.voxels.map { UInt8(($0 + 0.5).rounded(.down)) })
        try goOn()
        let tumours = tumourReading.map {
            mapping.nearest(gather(upright($0.mask), slices), pool: pool)
        }
        let warnings = ct.source.warnings + LiverContent(ct.volume, liver: liverReading.mask).warnings
            + said(liverReading, "Liver mask \(liver.source.name)", liver)
            + said(tumourReading, "Tumour mask \(tumour?.source.name ?? "")", tumour)
            + outside(tumourReading?.mask, liver: liverReading.mask)
        return PreparedLiver(
            settings: settings, pixels: pixels, tumour: tumours, sliceIndexes: slices, plan: plan, source: ct.source,
            sourceLiver: liverReading.mask, warnings: warnings)
    }

    /// The plan's way for the slices with liver alone.
    private static func mapping(_ plan: ResamplingPlan, sliceCount: Int) -> GridMapping {
        var (source, target) = (plan.mapping.sourceShape, plan.mapping.targetShape)
        (source.depth, target.depth) = (sliceCount, sliceCount)
        return GridMapping(
            sourceShape: source, sourceSpacing: plan.mapping.sourceSpacing, targetShape: target,
            targetSpacing: plan.mapping.targetSpacing)
    }

    private static func sliceIndexes(_ mask: Mask) -> [Int] {
        let count = mask.shape.sliceVoxelCount
        return (0..<mask.shape.depth).filter { z in mask.voxels[z * count..<(z + 1) * count].contains { $0 > 0 } }
    }

    private static func gather(_ mask: Mask, _ slices: [Int]) -> Mask {
        let count = mask.shape.sliceVoxelCount
        let shape = VolumeShape(depth: slices.count, height: mask.shape.height, width: mask.shape.width)
        return Mask(shape: shape, geometry: mask.geometry,
                    voxels: slices.flatMap { mask.voxels[$0 * count..<($0 + 1) * count] })
    }

    /// The slices given, equalised, on the file's grid.
    private static func equalise(
        _ ct: Volume<Float>, liver: Mask, slices: [Int], settings: LiverSliceSettings, pool: ThreadPool
    ) -> Volume<Float> {
        let count = ct.shape.sliceVoxelCount
        let shape = VolumeShape(depth: slices.count, height: ct.shape.height, width: ct.shape.width)
        let voxels = [Float](unsafeUninitializedCapacity: shape.voxelCount) { target, initialized in
            initialized = shape.voxelCount
            nonisolated(unsafe) let target = target.baseAddress!
            pool.run(taskCount: slices.count) { number in
                var grey = [UInt8](repeating: 0, count: count)
                for index in 0..<count where liver.voxels[slices[number] * count + index] > 0 {
                    grey[index] = self.grey(ct.voxels[slices[number] * count + index])
                }
                grey.withUnsafeMutableBufferPointer {
                    HistogramEqualisation.apply(to: $0, liftsDarkValues: settings.liftsDarkValues)
                }
                for index in 0..<count { target[number * count + index] = Float(grey[index]) }
            }
        }
        // Where the first of the slices lies.
        var geometry = ct.geometry
        for row in 0..<3 { geometry.affine[4 * row + 3] += geometry.affine[4 * row + 2] * Double(slices[0]) }
        return Volume(shape: shape, geometry: geometry, voxels: voxels)
    }

    /// HU to 0 ... 255; what is not a number counts as the lowest. Multiplied first: halves are then exact for whole
    /// HU.
    package static func grey(_ hounsfield: Float) -> UInt8 {
        let low = LiverSliceSettings.clipHU.lowerBound, high = LiverSliceSettings.clipHU.upperBound
        let clipped = hounsfield > low ? min(hounsfield, high) : low
        return UInt8(((clipped - low) * 255 / (high - low)).rounded())
    }

    private static func said(_ reading: MaskReading?, _ what: String, _ file: LoadedImage?) -> [String] {
        guard let reading, let file else { return [] }
        return (file.source.warnings + reading.warnings).map { "\(what): \($0)" }
    }

    /// Tumours that the networks are not shown cannot be found.
    private static func outside(_ tumour: Mask?, liver: Mask) -> [String] {
        guard let tumour else { return [] }
        var (all, outside) = (0, 0)
        for index in tumour.voxels.indices where tumour.voxels[index] > 0 {
            all += 1
            outside += liver.voxels[index] > 0 ? 0 : 1
        }
        guard outside * 100 > all else { return [] }
        return ["\(outside) of \(all) voxels of tumour lie outside of the liver mask, where nothing is looked for; the "
            + "liver mask should hold the tumours."]
    }
}
