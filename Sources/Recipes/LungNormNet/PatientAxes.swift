import Imaging

extension Orientation {
    /// The stored axis (0 x, 1 y, 2 z) along which the patient's slices from top to bottom lie.
    package var superiorAxis: Int { axis(of: "SI") ?? 2 }

    /// The stored axis that runs from one of the patient's sides to the other.
    var sideAxis: Int { axis(of: "LR") ?? 0 }

    /// The two stored axes of the patient's axial plane.
    var axialAxes: [Int] { (0..<3).filter { $0 != superiorAxis } }

    private func axis(of letters: String) -> Int? { Array(description).firstIndex { letters.contains($0) } }
}

extension VolumeShape {
    /// Voxels along the stored axes x, y, z.
    var counts: [Int] { [width, height, depth] }
    /// From a voxel to the next along x, y, z.
    var strides: [Int] { [1, width, sliceVoxelCount] }
}

extension Spacing {
    /// Along the stored axes x, y, z.
    var lengthsMM: [Double] { [xMM, yMM, zMM] }
}

/// Slices as messages name them.
enum SliceNames {
    private static let runCountMax = 3

    static func axis(_ axis: Int) -> String {
        "(counted from 0 along the file's \(["first", "second", "third"][axis]) axis)"
    }

    /// "Slice 7", "Slices 7, 9 to 12 and 4 more".
    static func runs(of slices: [Int]) -> String {
        var runs: [ClosedRange<Int>] = []
        for slice in slices {
            if let last = runs.last, last.upperBound + 1 == slice {
                runs[runs.count - 1] = last.lowerBound...slice
            } else {
                runs.append(slice...slice)
            }
        }
        let shown = runs.prefix(runCountMax)
        let left = runs.dropFirst(runCountMax).reduce(0) { $0 + $1.count }
        let names = shown.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)" }
        return (slices.count == 1 ? "Slice " : "Slices ") + names.joined(separator: ", ")
            + (left > 0 ? " and \(left) more" : "")
    }
}
