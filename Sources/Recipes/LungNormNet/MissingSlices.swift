import Imaging

/// Slices with lung that hold one value only: they were lost, and somebody filled them. The built-in segmenter takes
/// the lungs to go on in them, and a given mask may have lung there; lesions cannot be found.
enum MissingSlices {
    /// - Parameter lung: on the CT's grid.
    /// - Returns: a sentence, without the CT's name, when there are any.
    static func warnings(_ ct: LoadedImage, lung: Mask) -> [String] {
        guard let box = lung.boundingBox() else { return [] }
        let axis = ct.source.orientation.superiorAxis, withLung = [box.x, box.y, box.z][axis]
        let missing = ct.volume.planesOfOneValue(acrossAxis: axis).filter(withLung.contains)
        guard !missing.isEmpty else { return [] }
        let named = runs(missing).map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)" }
        let hold = missing.count == 1 ? "holds" : "hold"
        return ["\(missing.count) of the \(withLung.count) slices with lung \(hold) one value only "
            + "(\(named.joined(separator: ", ")), counted from 0): nothing was measured there, and no "
            + "answer there means anything."]
    }

    private static func runs(_ indices: [Int]) -> [ClosedRange<Int>] {
        indices.reduce(into: []) { runs, index in
            if let last = runs.last, last.upperBound == index - 1 {
                runs[runs.count - 1] = last.lowerBound...index
            } else {
                runs.append(index...index)
            }
        }
    }
}
