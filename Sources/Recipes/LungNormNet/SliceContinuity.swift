import Foundation
import Imaging

/// Whether a CT's slices follow on each other: some with another offset, blank ones, and stacks in the wrong order give
/// figures like any others. docs/METHOD.md has what was measured on sound CTs and on broken ones.
package struct SliceContinuity {
    /// Between two neighbouring slices.
    package struct Step {
        /// The first of the two.
        package let slice: Int
        /// Mean of the absolute differences, each at most `differenceMaxHU`.
        package let meanHU: Float
        /// Median of the differences.
        package let medianHU: Float
    }

    private static let sampleCountMax = 4096.0
    private static let differenceMaxHU: Float = 1000
    /// Steps at either end that are not judged: interpolation mixes the end of a scan with padding.
    private static let endStepCount = 2
    private static let neighbourCount = 3

    /// The stored axis that the slices lie along.
    private let axis: Int
    /// Of one value only, at the ends of the volume (padding) and within the scan.
    package private(set) var emptySlices: [Int] = []
    package private(set) var emptySlicesWithin: [Int] = []
    package private(set) var steps: [Step] = []
    private var emptyValue: Float = 0

    package init(_ ct: LoadedImage) {
        axis = ct.source.orientation.superiorAxis
        let sliceCount = ct.volume.shape.counts[axis]
        let samples = Self.samples(ct.volume.shape, axis: axis)
        func values(_ slice: Int) -> [Float] {
            let start = slice * ct.volume.shape.strides[axis]
            return samples.map { ct.volume.voxels[start + $0] }
        }
        var before: [Float]?
        for slice in 0..<sliceCount {
            let now = values(slice)
            guard !now.allSatisfy({ abs($0 - now[0]) < 0.5 }) else {
                emptySlices.append(slice)
                before = nil
                continue
            }
            if let before { steps.append(Self.step(slice - 1, before, now)) }
            before = now
        }
        let empty = Set(emptySlices), scanned = (0..<sliceCount).filter { !empty.contains($0) }
        guard let first = scanned.first, let last = scanned.last else { return }
        emptySlicesWithin = emptySlices.filter { (first...last).contains($0) }
        if let slice = emptySlicesWithin.first { emptyValue = values(slice)[0] }
    }

    /// Offsets of some thousand voxels of a slice, spread evenly.
    private static func samples(_ shape: VolumeShape, axis: Int) -> [Int] {
        let others = (0..<3).filter { $0 != axis }
        let counts = others.map { shape.counts[$0] }, strides = others.map { shape.strides[$0] }
        let step = max(1, Int((Double(counts[0]) * Double(counts[1]) / sampleCountMax).squareRoot().rounded(.up)))
        return Swift.stride(from: 0, to: counts[1], by: step).flatMap { row in
            Swift.stride(from: 0, to: counts[0], by: step).map { row * strides[1] + $0 * strides[0] }
        }
    }

    private static func step(_ slice: Int, _ before: [Float], _ now: [Float]) -> Step {
        var differences = zip(before, now).map { $1 - $0 }.filter(\.isFinite)
        guard !differences.isEmpty else { return Step(slice: slice, meanHU: 0, medianHU: 0) }
        let sum = differences.reduce(0) { $0 + Double(min(abs($1), differenceMaxHU)) }
        return Step(
            slice: slice, meanHU: Float(sum / Double(differences.count)),
            medianHU: differences.selectSmallest(differences.count / 2))
    }

    package var typicalHU: Float {
        let means = steps.map(\.meanHU).sorted()
        return means.isEmpty ? 0 : max(1, means[means.count / 2])
    }

    /// Between slices that do not follow on each other.
    package var jumps: [Step] {
        let typical = typicalHU
        return steps.indices.dropFirst(Self.endStepCount).dropLast(Self.endStepCount).filter { index in
            let step = steps[index], ratio = step.meanHU / typical
            if step.meanHU >= 400 || step.meanHU >= 300 && ratio >= 4 || abs(step.medianHU) >= 80 && ratio >= 2 {
                return true
            }
            // The values are right and the order is not. A slice that is out of its place has two such steps.
            guard step.meanHU >= 100, ratio >= 2.5 else { return false }
            let others = largest(around: index)
            return step.meanHU >= 1.8 * others.first || ratio >= 4 && step.meanHU >= 2.5 * others.second
        }.map { steps[$0] }
    }

    /// The two largest of the steps before and after it: a diaphragm is several slices high.
    private func largest(around index: Int) -> (first: Float, second: Float) {
        let near = max(0, index - Self.neighbourCount)...min(steps.count - 1, index + Self.neighbourCount)
        let means = near.filter { $0 != index }.map { steps[$0].meanHU }.sorted(by: >)
        return (means.first ?? 0, means.dropFirst().first ?? 0)
    }

    /// A sentence each, without the CT's name.
    package var warnings: [String] {
        var warnings: [String] = []
        if !emptySlicesWithin.isEmpty {
            warnings.append("\(SliceNames.runs(of: emptySlicesWithin)) \(SliceNames.axis(axis)) in the midst of the "
                + "scan hold\(emptySlicesWithin.count == 1 ? "s" : "") one value only"
                + String(format: ", %.0f: ", emptyValue)
                + "what was there is missing from the figures; export the series again.")
        }
        let jumps = jumps
        if let largest = jumps.max(by: { $0.meanHU < $1.meanHU }) {
            let names = jumps.prefix(3).map { "\($0.slice) and \($0.slice + 1)" }.joined(separator: ", ")
            let left = jumps.count > 3 ? " and \(jumps.count - 3) more pairs" : ""
            let figures = String(format: "%.0f HU on average, where neighbours typically differ by %.0f HU",
                largest.meanHU, typicalHU)
            warnings.append("Slices \(names)\(left) \(SliceNames.axis(axis)) do not follow on each other, they differ "
                + "by up to \(figures): another offset in some slices, a gap, or the wrong order; export the series "
                + "again.")
        }
        return warnings
    }
}
