import Foundation
import Imaging
import Numerics

/// What the replicas hold the probability of "not healthy" to be, added up replica by replica, on the prepared grid.
struct LungProbabilities {
    /// "probability": the mean. "spread": the standard deviation, of the replicas that there are.
    static let roles = ["probability", "spread"]
    /// A byte holds 0 to 1 in steps of this.
    static let step: Float = 1 / 250

    private let lung: Mask
    private var sums: [Float]
    private var squares: [Float]
    private var count: Float = 0

    init(lung: Mask) {
        self.lung = lung
        sums = [Float](repeating: 0, count: lung.voxels.count)
        squares = sums
    }

    /// The next replica begins.
    mutating func begin() { count += 1 }

    /// - Parameter healthy: of these slices.
    mutating func add(_ slices: Range<Int>, _ healthy: UnsafeBufferPointer<Float>) {
        let first = slices.lowerBound * lung.shape.sliceVoxelCount
        for index in healthy.indices {
            let value = 1 - healthy[index]
            sums[first + index] += value
            squares[first + index] += value * value
        }
    }

    /// A file for each of `roles`; 0 outside the lung.
    func outputs() -> [RecipeOutput] {
        var mean = lung, spread = lung
        func byte(_ value: Float) -> UInt8 { UInt8((min(max(value, 0), 1) / Self.step).rounded()) }
        for index in lung.voxels.indices where lung.voxels[index] > 0 {
            let average = sums[index] / count
            mean.voxels[index] = byte(average)
            spread.voxels[index] = byte(max(squares[index] / count - average * average, 0).squareRoot())
        }
        return zip(Self.roles, [mean, spread]).map {
            RecipeOutput(role: $0, name: $0, bytes: NIfTIFile.encode($1))
        }
    }

    /// One of those files, as it was made.
    /// - Throws: `RecipeError.inputRefused` where it is missing or another volume's.
    static func read(_ role: String, _ inputs: [RecipeInput], like lung: Mask) throws -> Mask {
        guard let file = inputs.first(where: { $0.role == role }) else {
            throw RecipeError.inputRefused("the volume has no probabilities of its replicas")
        }
        let stored = try Preparation.refusing { try ImageFile.read(single: file.path, name: file.name).volume }
        guard stored.shape == lung.shape, stored.voxels.allSatisfy({ (0...250).contains($0) }) else {
            throw RecipeError.inputRefused("\(file.name): no probabilities of this volume; they belong together")
        }
        return lung.with(stored.voxels.map { UInt8($0) })
    }
}
