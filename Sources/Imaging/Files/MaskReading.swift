/// What an image says as a mask. The one rule, by its values:
///
/// - **Whole numbers from 0 on** (within a hundredth: a program that keeps a mask under a CT's header stores it by a
///   slope whose rounding leaves 0 not exactly 0) are labels. 0 is outside; inside is every other label, or those that
///   are named. Several labels with none named get a warning, since not all may be meant (LUNA16: 3 and 4 are the
///   lungs, 5 is the trachea); more than `labelCountMax` are a map of many organs, or levels of grey, and are refused
///   until the labels that count are named.
/// - **Values from 0 to 1** (with a spline's overshoot: -0.75 to 1.75) are a probability or a mask that was
///   resampled; one half and more is inside.
/// - **Anything else** (a CT, its negative numbers, levels from 0 to 255 with fractions) is no mask and is refused.
public struct MaskReading: Sendable {
    /// In the order of the file, or of the grid that was asked for.
    public var mask: Mask
    /// The labels found, ascending, without 0; empty for a probability.
    public var labels: [Int]
    /// A sentence each, without the file's name.
    public var warnings: [String] = []

    /// More labels than this are refused unless those that count are named: five lobes with trachea, vessels and
    /// lesions are fewer.
    public static let labelCountMax = 8
    static let labelMax = 65_535
    static let roundingMax: Float = 0.01
    static let probabilities: ClosedRange<Float> = -0.75...1.75
}

extension LoadedImage {
    /// This image as a mask (see `MaskReading`), as it is stored.
    /// - Parameter labels: the labels that are inside; nil: all but 0.
    /// - Throws: `ImageFileError` when it is no mask, or a map of many labels of which none is named.
    public func mask(labels: Set<Int>? = nil) throws(ImageFileError) -> Mask {
        try maskReading(labels: labels).mask
    }

    /// The same in the order of another file's grid, whatever order it is itself stored in.
    /// - Throws: `ImageFileError` also when it does not lie on that grid: another size, or corners more than half a
    ///   voxel away. A file that does not say how the patient lies is taken as stored like the other one.
    public func mask(on other: ImageSource, labels: Set<Int>? = nil) throws(ImageFileError) -> Mask {
        try maskReading(on: other, labels: labels).mask
    }

    /// `mask(labels:)` with what else there is to say.
    public func maskReading(labels wanted: Set<Int>? = nil) throws(ImageFileError) -> MaskReading {
        let values = ValueSurvey(volume.voxels)
        if values.isWhole, values.least > -0.5, values.most < Float(MaskReading.labelMax) + 0.5 {
            return try labelReading(found: values.labels, wanted: wanted)
        }
        guard MaskReading.probabilities.contains(values.least), MaskReading.probabilities.contains(values.most),
            !values.isWhole
        else {
            throw ImageFileError(
                source.name, .unsupported,
                "is no mask: its values run from \(values.least) to \(values.most)"
                    + (values.isWhole ? "" : " and are no whole numbers"),
                remedy: "name a mask: whole numbers with 0 outside, or probabilities from 0 to 1")
        }
        if let wanted {
            throw ImageFileError(
                source.name, .unsupported, "holds probabilities and no labels such as \(Self.text(wanted.sorted()))",
                remedy: "leave --labels out, or save it as whole numbers")
        }
        return MaskReading(
            mask: volume.with(halfAndMore()), labels: [],
            warnings: ["Its values are no whole numbers: one half and more counts as inside; save it as 0 and 1."])
    }

    /// 1 where the value is one half or more.
    private func halfAndMore() -> [UInt8] {
        volume.voxels.withUnsafeBufferPointer { values in
            [UInt8](count: values.count) { inside in
                for index in values.indices { inside[index] = values[index] >= 0.5 ? 1 : 0 }
            }
        }
    }

    private func labelReading(found: [Int], wanted: Set<Int>?) throws(ImageFileError) -> MaskReading {
        guard let wanted else {
            guard found.count <= MaskReading.labelCountMax else {
                throw ImageFileError(
                    source.name, .unsupported, "is a map of \(found.count) labels (\(Self.text(found)))",
                    remedy: "say which of them count, such as --labels 3,4, or save it as 0 and 1")
            }
            let inside = volume.with(halfAndMore())
            guard found.count > 1 else { return MaskReading(mask: inside, labels: found) }
            let luna = Set(found).isSuperset(of: [3, 4, 5])
                ? " (in LUNA16's masks 3 and 4 are the lungs and 5 is the trachea)" : ""
            return MaskReading(mask: inside, labels: found, warnings: [
                "All its labels \(Self.text(found)) count as inside\(luna); say which ones should with --labels.",
            ])
        }
        var isInside = [Bool](repeating: false, count: (found.last ?? 0) + 1)
        for label in found where wanted.contains(label) { isInside[label] = true }
        let inside = volume.with(volume.voxels.map { UInt8(isInside[Int($0.rounded())] ? 1 : 0) })
        var reading = MaskReading(mask: inside, labels: found)
        let missing = wanted.subtracting(found).sorted()
        if !missing.isEmpty {
            let all = found.isEmpty ? "it is empty" : "its labels are \(Self.text(found))"
            reading.warnings = ["It has no label \(Self.text(missing)): \(all)."]
        }
        return reading
    }

    /// "1, 2, 3, 4 ... 117".
    private static func text(_ labels: [Int]) -> String {
        let shown = labels.count <= MaskReading.labelCountMax ? labels : Array(labels.prefix(4))
        let rest = shown.count < labels.count ? " ... \(labels.last!)" : ""
        return shown.map(String.init).joined(separator: ", ") + rest
    }

    /// `mask(on:labels:)` with what else there is to say.
    public func maskReading(
        on other: ImageSource, labels: Set<Int>? = nil
    ) throws(ImageFileError) -> MaskReading {
        var reading = try maskReading(labels: labels)
        let moved = source.isOrientationKnown
            ? reading.mask.reoriented(from: source.orientation, to: other.orientation) : reading.mask
        guard moved.shape == other.shape else {
            throw ImageFileError(
                source.name, .unsupported,
                "has \(source.shape) voxels (depth x height x width) where \(other.name) has \(other.shape)",
                remedy: "make the mask on the grid of its CT")
        }
        if source.isOrientationKnown {
            let distanceMM = Self.cornerDistanceMM(moved.geometry, other.geometry, other.shape)
            let spacing = other.geometry.spacing
            guard distanceMM <= 0.5 * min(spacing.xMM, spacing.yMM, spacing.zMM) else {
                throw ImageFileError(
                    source.name, .unsupported,
                    "lies up to \((distanceMM * 10).rounded() / 10) mm away from \(other.name) in the patient",
                    remedy: "make the mask on the grid of its CT")
            }
        }
        reading.mask = Mask(shape: other.shape, geometry: other.geometry, voxels: moved.voxels)
        return reading
    }

    private static func cornerDistanceMM(_ a: Geometry, _ b: Geometry, _ shape: VolumeShape) -> Double {
        var worst = 0.0
        for corner in 0..<8 {
            let z = corner & 1 == 0 ? 0 : Double(shape.depth - 1)
            let y = corner & 2 == 0 ? 0 : Double(shape.height - 1)
            let x = corner & 4 == 0 ? 0 : Double(shape.width - 1)
            let (p, q) = (a.positionMM(z: z, y: y, x: x), b.positionMM(z: z, y: y, x: x))
            let (dx, dy, dz) = (p.right - q.right, p.anterior - q.anterior, p.superior - q.superior)
            worst = max(worst, (dx * dx + dy * dy + dz * dz).squareRoot())
        }
        return worst
    }
}

/// Range and kind of an image's values, in one pass.
private struct ValueSurvey {
    var least = Float.infinity
    var most = -Float.infinity
    /// All values are whole numbers, but for rounding.
    var isWhole = true
    /// Ascending, without 0; of whole numbers within the limits of labels.
    var labels: [Int] = []

    init(_ voxels: [Float]) {
        var isFound = [Bool](repeating: false, count: MaskReading.labelMax + 1)
        voxels.withUnsafeBufferPointer { voxels in
            var last = Float.nan, index = 0
            while index < voxels.count {
                // Masks are made of runs.
                if index + Self.stride <= voxels.count, Self.isOneValue(voxels.baseAddress! + index, last) {
                    index += Self.stride
                    continue
                }
                let end = min(index + Self.stride, voxels.count)
                while index < end {
                    if voxels[index] != last {
                        last = voxels[index]
                        look(at: last, &isFound)
                    }
                    index += 1
                }
            }
        }
        labels = isFound.indices.filter { isFound[$0] }
    }

    private mutating func look(at value: Float, _ isFound: inout [Bool]) {
        least = min(least, value)
        most = max(most, value)
        let whole = value.rounded()
        if abs(value - whole) > MaskReading.roundingMax { isWhole = false }
        if whole >= 1, whole <= Float(MaskReading.labelMax) { isFound[Int(whole)] = true }
    }

    private static let stride = 32

    private static func isOneValue(_ values: UnsafePointer<Float>, _ value: Float) -> Bool {
        let wanted = SIMD8<Float>(repeating: value), raw = UnsafeRawPointer(values)
        var differs = SIMDMask<SIMD8<Int32>>(repeating: false)
        for place in Swift.stride(from: 0, to: stride, by: 8) {
            differs .|= raw.loadUnaligned(fromByteOffset: 4 * place, as: SIMD8<Float>.self) .!= wanted
        }
        return !any(differs)
    }
}
