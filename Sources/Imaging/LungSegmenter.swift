import CKernels
import Numerics

/// The built-in classical lung segmenter (method.md A1.2): threshold, drop the air outside of the body, remove trachea
/// and main bronchi, keep the air that is lung, close vessels and consolidations, fill holes in 3D.
///
/// It works on whole chests and on volumes cropped to the lungs, where the body does not close around them. What it
/// cannot find is lung that is as dense as tissue over more than some 2 cm: give a mask then.
///
///     let lung = try LungSegmenter().segment(ct.canonical(), pool: pool)
public struct LungSegmenter: Sendable {
    /// Air is below this. Ground glass lies between -800 and -400 HU.
    public var airHU: Float = -400
    /// Radius of the closing that takes in vessels and consolidations.
    public var closingRadiusMM = 10.0
    /// Less than this is no lung.
    public var leastVolumeML = 150.0
    /// On a finer grid than this, the volume is averaged first. The balls that this method works with are millimetres
    /// wide, so that its time would grow with the sixth power of the fineness; the finest CT scanners have 0.2 mm, and
    /// a file may claim 0.001.
    public var finestSpacingMM = 0.25

    public init() {}

    /// The lungs of a CT.
    ///
    /// - Parameters:
    ///   - volume: Hounsfield units in canonical RAS+ order: x to the patient's right, y to anterior, z up.
    ///   - isCancelled: asked between the steps.
    /// - Returns: the mask of both lungs on the same grid.
    /// - Throws: `LungSegmentationError`.
    public func segment(
        _ volume: Volume<Float>, pool: ThreadPool, isCancelled: () -> Bool = { false }
    ) throws(LungSegmentationError) -> Mask {
        let scanned = ScanPadding.box(of: volume, airHU: airHU)
        guard scanned == volume.shape.box else {
            var mask = volume.with([UInt8](repeating: 0, count: volume.voxels.count))
            mask.put(try segment(volume.cut(scanned), pool: pool, isCancelled: isCancelled), at: scanned)
            return mask
        }
        let spacing = volume.geometry.boxSpacing, volumeML = Double(volume.shape.voxelCount) * spacing.voxelML
        guard volumeML >= leastVolumeML else { throw .tooSmall(volumeML: volumeML, leastML: leastVolumeML) }
        var volume = volume.missingSlicesFilled()
        let padding = ScanPadding(volume, airHU: airHU, pool: pool)
        padding?.fill(&volume)
        guard min(spacing.zMM, spacing.yMM, spacing.xMM) < finestSpacingMM else {
            return try onItsGrid(volume, padding: padding, pool: pool, isCancelled: isCancelled)
        }
        let mapping = GridMapping(
            sourceShape: volume.shape, sourceSpacing: spacing, to: Spacing(
                zMM: max(spacing.zMM, finestSpacingMM), yMM: max(spacing.yMM, finestSpacingMM),
                xMM: max(spacing.xMM, finestSpacingMM)))
        let found = try onItsGrid(
            mapping.linear(volume, pool: pool),
            padding: padding?.resampled(mapping, geometry: volume.geometry, pool: pool), pool: pool,
            isCancelled: isCancelled)
        return volume.with(mapping.reversed.nearest(found, pool: pool).voxels)
    }

    /// - Parameter padding: what was not scanned, filled with a value that means nothing.
    private func onItsGrid(
        _ volume: Volume<Float>, padding: ScanPadding?, pool: ThreadPool, isCancelled: () -> Bool
    ) throws(LungSegmentationError) -> Mask {
        func goOn() throws(LungSegmentationError) { if isCancelled() { throw .cancelled } }
        try goOn()
        let air = BitVolume(volume, below: airHU, pool: pool).without(padding?.withRim)
        let spacing = volume.geometry.boxSpacing
        func found(in inside: BitVolume) throws(LungSegmentationError) -> (airways: Airways, lung: BitVolume) {
            try goOn()
            let airways = Airways(volume, insideAir: inside, pool: pool)
            try goOn()
            let candidates = LungCandidates(
                inside.combined(with: airways.walled) { $0 & ~$1 }, volume: volume, padding: padding?.withRim,
                pool: pool)
            try goOn()
            return (airways, candidates.lung)
        }
        func millilitres(_ bits: BitVolume) -> Double { Double(bits.voxelCount) * spacing.voxelML }
        let inside = OutsideAir.removed(from: air, padding: padding?.withRim, spacing: spacing, pool: pool)
        var (airways, lung) = try found(in: inside)
        let foundML = millilitres(lung)
        if foundML < leastVolumeML {
            (airways, lung) = try found(in: OutsideAir.removedBehindNecks(
                from: air, padding: padding?.withRim, spacing: spacing, pool: pool))
        }
        guard millilitres(lung) >= leastVolumeML else {
            throw .noLungFound(
                foundML: foundML, leastML: leastVolumeML,
                openML: OutsideAir.lungLikeML(volume, outside: air.without(inside), pool: pool))
        }
        let ball = StructuringElement(ballRadiusMM: closingRadiusMM, spacing: spacing)
        let sides = LungSides.split(lung, geometry: volume.geometry, pool: pool)
        // Each lung by itself: closing both together would take in the thin tissue between them.
        var closed: [BitVolume] = []
        for side in sides {
            try goOn()
            closed.append(side.closed(by: ball, pool: pool).holesFilled(pool: pool))
        }
        let lungs = closed.dropFirst().reduce(closed[0]) { $0.combined(with: $1) { $0 | $1 } }
        return lungs.combined(with: airways.central) { $0 & ~$1 }.without(padding?.solid)
            .mask(geometry: volume.geometry, pool: pool)
    }
}

extension BitVolume {
    private static let taskRows = 256

    /// Voxels below a value (those that are no number too).
    init(_ volume: Volume<Float>, below threshold: Float, pool: ThreadPool) {
        let shape = volume.shape
        let all = BitVolume(shape: shape, words: [UInt64](repeating: 0, count: shape.bitWordCount)).complement()
        let words = [UInt64](count: shape.bitWordCount) { words in
            volume.voxels.withUnsafeBufferPointer { values in
                all.words.withUnsafeBufferPointer { mask in
                    nonisolated(unsafe) let (values, mask) = (values.baseAddress, mask.baseAddress)
                    nonisolated(unsafe) let words = words
                    runRanges(shape.rowCount, stride: Self.taskRows, on: pool) {
                        quintet_bits_at_least(values, threshold, mask, shape.width, $0.lowerBound, $0.count, words)
                    }
                }
            }
        }
        self = BitVolume(shape: shape, words: words).complement()
    }

    func without(_ other: BitVolume?) -> BitVolume { other.map { combined(with: $0) { $0 & ~$1 } } ?? self }

    var voxelCount: Int { quintet_bits_count(words, words.count) }
}
