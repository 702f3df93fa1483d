import CKernels

/// What a stream of random numbers is for; part of the counter, so that two purposes never share a number.
/// Values are part of the file format of results: never renumber, only append.
public enum RandomPurpose: UInt16, Sendable {
    case weightInitialisation = 1
    case slabChoice = 2
    case lesionShapes = 3
    case lesionTexture = 4
    case phantomAnatomy = 5
    case phantomLesions = 6
    case phantomNoise = 7
    case anomalyMask = 16
    case anomalyFilling = 17
    case abdomenAnatomy = 18
    case abdomenTumours = 19
    case abdomenNoise = 20
    case sliceOrder = 21
}

/// Names one stream of random numbers: the same key gives the same numbers on any machine, in any order of use.
public struct RandomKey: Hashable, Sendable {
    public var seed: UInt64
    public var replica: UInt8
    public var iteration: UInt32
    public var sample: UInt8
    public var purpose: RandomPurpose

    public init(seed: UInt64, replica: Int = 0, iteration: Int = 0, sample: Int = 0, purpose: RandomPurpose) {
        self.seed = seed
        self.replica = UInt8(replica)
        self.iteration = UInt32(iteration)
        self.sample = UInt8(sample)
        self.purpose = purpose
    }

    /// Part `index` of this key as a stream of its own: for lesion 3's texture, say. Index 0 is the key's own stream.
    public func stream(_ index: UInt32 = 0) -> RandomStream {
        // The upper half of Philox's counter holds what; the lower half counts within the stream.
        let what = UInt64(iteration) << 32 | UInt64(replica) << 24 | UInt64(sample) << 16 | UInt64(purpose.rawValue)
        return RandomStream(key: seed, stream: what, first: UInt64(index) << 40)
    }
}

/// Counter-based random numbers (Philox 4x32-10) in sequence. A value type: a copy repeats the same numbers.
public struct RandomStream: Sendable {
    private let key: UInt64
    private let stream: UInt64
    private var position: UInt64

    init(key: UInt64, stream: UInt64, first: UInt64) {
        self.key = key
        self.stream = stream
        self.position = first
    }

    /// Uniform in [0, 1), 24 bits.
    public mutating func uniform() -> Float {
        var value: Float = 0
        quintet_philox_uniform(key, stream, position, &value, 1)
        position += 1
        return value
    }

    /// Uniform in [low, high).
    public mutating func uniform(_ low: Float, _ high: Float) -> Float { low + (high - low) * uniform() }

    /// Uniform in 0 ..< count; count at most 2^40 (48 random bits, bias below 2^-8 of a part in 2^40).
    public mutating func index(below count: Int) -> Int {
        precondition(count > 0 && count <= 1 << 40)
        let high = UInt64(uniform() * 0x1p24), low = UInt64(uniform() * 0x1p24)
        return Int((high << 24 | low).multipliedFullWidth(by: UInt64(count) << 16).high)
    }

    /// Standard normal (Box and Muller), from two uniforms.
    public mutating func normal() -> Float {
        let u = 1 - Double(uniform()), v = Double(uniform())
        return Float((-2 * quintet_log(u)).squareRoot() * quintet_cos(2 * Double.pi * v))
    }

    /// Fills with uniforms in [0, 1): the same numbers as as many calls of `uniform()`.
    public mutating func fill(_ values: UnsafeMutableBufferPointer<Float>) {
        quintet_philox_uniform(key, stream, position, values.baseAddress, values.count)
        position += UInt64(values.count)
    }

    /// Fills with standard normals: both of Box and Muller's from two uniforms, so half as many uniforms as as many
    /// calls of `normal()` would take, and other numbers. An odd count leaves the last pair's second one out.
    public mutating func fillNormal(_ values: UnsafeMutableBufferPointer<Float>) {
        let pairs = (values.count + 1) / 2
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * pairs) { uniforms in
            fill(uniforms)
            for pair in 0..<pairs {
                let radius = (-2 * quintet_log(1 - Double(uniforms[2 * pair]))).squareRoot()
                let angle = 2 * Double.pi * Double(uniforms[2 * pair + 1])
                values[2 * pair] = Float(radius * quintet_cos(angle))
                if 2 * pair + 1 < values.count { values[2 * pair + 1] = Float(radius * quintet_sin(angle)) }
            }
        }
    }

    /// Leaves out `count` numbers, so that parts of a field can be filled by different threads.
    public func skipping(_ count: Int) -> RandomStream {
        RandomStream(key: key, stream: stream, first: position + UInt64(count))
    }
}
