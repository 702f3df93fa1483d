import Imaging
import Numerics

/// A liver slice with a made-up anomaly, `size` x `size` bytes each.
public struct PseudoAnomalySample: Sendable, Hashable {
    /// What the networks are given: 0 outside of the liver, 0 ... 255.
    public var image: [UInt8] = []
    /// 1 where the image was changed.
    public var mask: [UInt8] = []
    /// False where no mask came out that touches the liver, or the sample was to stay clean: the image is the slice.
    public var hasAnomaly = false

    public init() {}
}

/// Memory that samples reuse; one for every thread that makes them.
public final class PseudoAnomalyWorkspace {
    let filter = FilterWorkspace()

    public init() {}

    /// Which buffer of `filter` is whose; 0 and 1 are the Gaussian filter's.
    enum Slot {
        static let noise = 2
    }
}

/// Makes training samples of the liver recipe: a clean slice becomes one with an anomaly whose place is known (liver
/// paper, section 3.1; method.md B).
///
/// A sample is a pure function of its key, the slice and the texture, whatever was made before and on whatever machine.
///
///     let generator = PseudoAnomalyGenerator(settings: PseudoAnomalySettings(size: 256))
///     generator.makeSample(slice: slice, key: LesionKey(seed: 1, iteration: 7), into: &sample, workspace: memory)
public struct PseudoAnomalyGenerator: Sendable {
    public let settings: PseudoAnomalySettings

    /// - Parameter settings: without a `problem`.
    public init(settings: PseudoAnomalySettings) {
        precondition(settings.problem == nil, settings.problem ?? "")
        self.settings = settings
    }

    /// - Parameters:
    ///   - slice: `size` x `size` grey values row by row, 0 outside of the liver.
    ///   - texture: another slice of the set, of the same size, for DRAEM; without one its texture is Perlin noise too.
    ///   - sample: written; its memory is reused when it has the right size.
    public func makeSample(
        slice: UnsafeBufferPointer<UInt8>, texture: UnsafeBufferPointer<UInt8>? = nil, key: LesionKey,
        into sample: inout PseudoAnomalySample, workspace: PseudoAnomalyWorkspace
    ) {
        let count = settings.size * settings.size
        precondition(slice.count == count, "a slice has \(count) pixels")
        precondition(texture.map { $0.count == count } ?? true, "a texture has \(count) pixels")
        sample.image.removeAll(keepingCapacity: true)
        sample.image.append(contentsOf: slice)
        if sample.mask.count != count { sample.mask = [UInt8](repeating: 0, count: count) }
        // All scalars come first, and always all of them: a switch moves no other number.
        var random = key.purpose(.anomalyFilling).stream(0)
        let scalars = Scalars(settings, &random)
        sample.hasAnomaly = false
        if !scalars.isClean {
            sample.hasAnomaly = settings.filling == .draem
                ? blend(texture, scalars, &random, slice: slice, into: &sample)
                : fill(scalars, key: key, slice: slice, into: &sample, workspace: workspace)
        }
        if !sample.hasAnomaly { for index in sample.mask.indices { sample.mask[index] = 0 } }
    }

    /// The same, with memory of its own.
    public func makeSample(slice: [UInt8], texture: [UInt8]? = nil, key: LesionKey) -> PseudoAnomalySample {
        var sample = PseudoAnomalySample()
        slice.withUnsafeBufferPointer { slice in
            let workspace = PseudoAnomalyWorkspace()
            guard let texture else {
                return makeSample(slice: slice, key: key, into: &sample, workspace: workspace)
            }
            texture.withUnsafeBufferPointer {
                makeSample(slice: slice, texture: $0, key: key, into: &sample, workspace: workspace)
            }
        }
        return sample
    }

    /// One number of each kind a sample.
    struct Scalars {
        var isClean: Bool
        var shift: Float
        var usesTexture: Bool
        var grey: Float
        /// DRAEM: the share of the slice that stays, 0 ... 0.8.
        var beta: Float

        init(_ settings: PseudoAnomalySettings, _ random: inout RandomStream) {
            isClean = Double(random.uniform()) < settings.cleanShare
            // The program draws from -range ... range until |C| is large enough; this is the same distribution.
            let size = random.uniform(Float(settings.leastShift), Float(settings.colourRange))
            let isDarker = random.uniform() < 0.5
            shift = isDarker || settings.isAlwaysDarker ? -size : size
            usesTexture = random.uniform() < 0.5
            grey = Float(random.index(below: 256))
            beta = random.uniform(0, 0.8)
        }
    }

    /// The paper's masks, filled with a shift, a texture or a grey value. Returns false where all masks are empty.
    private func fill(
        _ scalars: Scalars, key: LesionKey, slice: UnsafeBufferPointer<UInt8>, into sample: inout PseudoAnomalySample,
        workspace: PseudoAnomalyWorkspace
    ) -> Bool {
        let masks = AnomalyMasks(settings: settings, workspace: workspace)
        let noise = masks.draw(liver: slice, key: key.purpose(.anomalyMask), into: &sample.mask)
        let mean = Self.liverMean(slice)
        var isAny = false
        for index in slice.indices where sample.mask[index] != 0 {
            isAny = true
            let value: Float =
                switch settings.filling {
                case .shiftOrTexture where scalars.usesTexture: noise[index] / 255 * mean
                case .constant: scalars.grey
                default: Float(slice[index]) + scalars.shift
                }
            // Cut to whole numbers, not rounded: as numpy's astype.
            sample.image[index] = UInt8(min(max(value, 0), 255))
        }
        return isAny
    }

    /// Mean grey value of the pixels above 0; 0 without any.
    private static func liverMean(_ slice: UnsafeBufferPointer<UInt8>) -> Float {
        var sum = 0, count = 0
        for value in slice where value > 0 { (sum, count) = (sum + Int(value), count + 1) }
        return count > 0 ? Float(Double(sum) / Double(count)) : 0
    }

    /// DRAEM's anomaly. Returns false where its mask does not touch the liver.
    private func blend(
        _ texture: UnsafeBufferPointer<UInt8>?, _ scalars: Scalars, _ random: inout RandomStream,
        slice: UnsafeBufferPointer<UInt8>, into sample: inout PseudoAnomalySample
    ) -> Bool {
        let size = settings.size
        let mask = PerlinNoise(size: size, isRotated: true, random: &random)
        let source = AnomalyTexture(texture, size: size, random: &random)
        var isAny = false
        for y in 0..<size {
            for x in 0..<size {
                let index = y * size + x, value = Float(slice[index])
                let isInside = value > 0 && mask.value(y: y, x: x) > 0.5
                sample.mask[index] = isInside ? 1 : 0
                guard isInside else { continue }
                isAny = true
                let mixed = (1 - scalars.beta) * source.value(y: y, x: x) + scalars.beta * value
                sample.image[index] = UInt8(min(max(mixed, 0), 255))
            }
        }
        return isAny
    }
}
