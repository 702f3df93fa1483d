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

    public init() {}

    /// The lungs of a CT.
    ///
    /// - Parameter volume: Hounsfield units in canonical RAS+ order: x to the patient's right, y to anterior, z up.
    /// - Returns: the mask of both lungs on the same grid.
    /// - Throws: `LungSegmentationError.noLungFound`.
    public func segment(_ volume: Volume<Float>, pool: ThreadPool) throws(LungSegmentationError) -> Mask {
        let air = BitVolume(volume, below: airHU, pool: pool)
        let inside = OutsideAir.removed(from: air, spacing: volume.geometry.spacing, pool: pool)
        let airways = Airways(volume, insideAir: inside, pool: pool)
        let candidates = LungCandidates(
            inside.combined(with: airways.walled) { $0 & ~$1 }, volume: volume, pool: pool)
        let foundML = Double(candidates.lung.voxelCount) * volume.geometry.spacing.voxelML
        guard foundML >= leastVolumeML else {
            throw .noLungFound(foundML: foundML, leastML: leastVolumeML)
        }
        let ball = StructuringElement(ballRadiusMM: closingRadiusMM, spacing: volume.geometry.spacing)
        let sides = LungSides.split(candidates.lung, geometry: volume.geometry, pool: pool)
        // Each lung by itself: closing both together would take in the thin tissue between them.
        let closed = sides.map { $0.closed(by: ball, pool: pool).holesFilled(pool: pool) }
        let lungs = closed.dropFirst().reduce(closed[0]) { $0.combined(with: $1) { $0 | $1 } }
        return lungs.combined(with: airways.central) { $0 & ~$1 }.mask(geometry: volume.geometry, pool: pool)
    }
}

extension BitVolume {
    private static let taskRows = 256

    /// Voxels below a value (those that are no number too).
    init(_ volume: Volume<Float>, below threshold: Float, pool: ThreadPool) {
        let shape = volume.shape
        let all = BitVolume(shape: shape, words: [UInt64](repeating: 0, count: shape.bitWordCount)).complement()
        let words = [UInt64](unsafeUninitializedCapacity: shape.bitWordCount) { words, initialized in
            initialized = shape.bitWordCount
            volume.voxels.withUnsafeBufferPointer { values in
                all.words.withUnsafeBufferPointer { mask in
                    nonisolated(unsafe) let (values, mask) = (values.baseAddress, mask.baseAddress)
                    nonisolated(unsafe) let words = words.baseAddress
                    runRanges(shape.rowCount, stride: Self.taskRows, on: pool) {
                        quintet_bits_at_least(values, threshold, mask, shape.width, $0.lowerBound, $0.count, words)
                    }
                }
            }
        }
        self = BitVolume(shape: shape, words: words).complement()
    }

    var voxelCount: Int { quintet_bits_count(words, words.count) }
}
