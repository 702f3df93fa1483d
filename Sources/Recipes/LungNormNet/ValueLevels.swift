import Imaging

/// Where a CT has its soft tissue and the air outside of the body, by the peaks of their values: in Hounsfield units
/// both are known, whoever is scanned, so they tell an offset of 100 to 250 HU or a slope that was applied twice, which
/// leave lungs that look like ill ones. docs/METHOD.md has what was measured.
///
/// Only measured voxels count, which differ from their neighbours: padding does not.
package struct ValueLevels {
    /// Fat people peak at fat, others at muscle, after contrast medium at what is full of it.
    static let soundTissueHU: ClosedRange<Float> = -150...160
    static let soundAirHU: ClosedRange<Float> = -1075 ... -925
    /// Air of which less lies near its peak is lung that reaches the volume's sides, or too noisy to tell.
    static let airNarrowShareMin = 0.4
    /// Of the volume's sides, and of all of its voxels.
    private static let airShareMin = 0.02, tissueShareMin = 0.05
    private static let sampleCountMax = 1_000_000, sampleCountMin = 200

    /// Nil where there is next to none.
    package let tissueHU: Float?
    package let outsideAirHU: Float?

    package init(_ ct: LoadedImage) {
        tissueHU = Self.tissue(ct.volume)
        outsideAirHU = Self.air(ct.volume, axes: ct.source.orientation.axialAxes)
    }

    /// A sentence, without the CT's name.
    package var warnings: [String] {
        var evidence: [String] = []
        if let tissueHU, !Self.soundTissueHU.contains(tissueHU) {
            evidence.append("Its soft tissue peaks at \(Int(tissueHU)), where CTs in HU have -120 (fat) to 100")
        }
        if let outsideAirHU, !Self.soundAirHU.contains(outsideAirHU) {
            evidence.append("\(evidence.isEmpty ? "The" : "the") air around the body peaks at \(Int(outsideAirHU)), "
                + "where CTs in HU have -1000")
        }
        return evidence.isEmpty ? [] : [evidence.joined(separator: ", and ")
            + ": its values have another offset or slope, and lesions come out too large or too small; give what "
            + "is missing with --add-hu, or export it again in HU."]
    }

    private static func tissue(_ volume: Volume<Float>) -> Float? {
        var counts = ValueCounts(from: -300, to: 4000), total = 0
        // Odd, so that it does not keep to some columns.
        let step = max(1, volume.voxels.count / sampleCountMax) | 1
        for index in Swift.stride(from: 0, to: volume.voxels.count, by: step) {
            total += 1
            if isMeasured(volume, index) { counts.add(volume.voxels[index]) }
        }
        guard counts.total >= sampleCountMin, Double(counts.total) >= tissueShareMin * Double(total) else { return nil }
        return counts.peak(halfWidth: 25)
    }

    /// On the sides of the volume that are not its first and last slice.
    private static func air(_ volume: Volume<Float>, axes: [Int]) -> Float? {
        var counts = ValueCounts(from: -1500, to: -300), total = 0
        let shape = volume.shape
        for axis in axes {
            let others = (0..<3).filter { $0 != axis }
            let sideCount = shape.counts[others[0]] * shape.counts[others[1]]
            let step = max(1, 4 * sideCount / sampleCountMax) | 1
            for end in [0, shape.counts[axis] - 1] {
                for place in Swift.stride(from: 0, to: sideCount, by: step) {
                    let (row, column) = place.quotientAndRemainder(dividingBy: shape.counts[others[0]])
                    let index = end * shape.strides[axis] + row * shape.strides[others[1]]
                        + column * shape.strides[others[0]]
                    total += 1
                    if isMeasured(volume, index) { counts.add(volume.voxels[index]) }
                }
            }
        }
        guard counts.total >= sampleCountMin, Double(counts.total) >= airShareMin * Double(total) else { return nil }
        let peak = counts.peak(halfWidth: 15)
        let near = counts.count(around: peak, halfWidth: 15), wide = counts.count(around: peak, halfWidth: 150)
        return Double(near) >= airNarrowShareMin * Double(wide) ? peak : nil
    }

    private static func isMeasured(_ volume: Volume<Float>, _ index: Int) -> Bool {
        let value = volume.voxels[index]
        return (index == 0 || volume.voxels[index - 1] != value)
            && (index + 1 == volume.voxels.count || volume.voxels[index + 1] != value)
    }
}

/// How often each whole value of a range occurs.
private struct ValueCounts {
    private let from: Int
    private var counts: [Int]
    private(set) var total = 0

    init(from: Int, to: Int) {
        self.from = from
        counts = [Int](repeating: 0, count: to - from)
    }

    /// What lies outside of the range, or is no number, is not counted.
    mutating func add(_ value: Float) {
        let place = (value - Float(from)).rounded(.down)
        guard place >= 0, place < Float(counts.count) else { return }
        counts[Int(place)] += 1
        total += 1
    }

    func count(around value: Float, halfWidth: Int) -> Int {
        let centre = Int(value) - from
        return counts[max(0, centre - halfWidth)...min(counts.count - 1, centre + halfWidth)].reduce(0, +)
    }

    /// The value around which most of them lie.
    func peak(halfWidth: Int) -> Float {
        var best = 0, most = -1, sum = counts[..<min(halfWidth, counts.count)].reduce(0, +)
        for place in counts.indices {
            if place + halfWidth < counts.count { sum += counts[place + halfWidth] }
            if place > halfWidth { sum -= counts[place - halfWidth - 1] }
            if sum > most { (best, most) = (place, sum) }
        }
        return Float(best + from)
    }
}
