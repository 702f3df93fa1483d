import Imaging
import ModelCore
import Numerics

/// Volumes for the benchmarks, made of whole-number arithmetic: other programs make the very same voxels from the same
/// lines, so that both sides of a comparison do the same work (cluster/benchmark.py).
public struct BenchmarkField: Sendable {
    public let shape: VolumeShape

    public init(_ shape: TensorShape3D) {
        self.shape = VolumeShape(depth: shape.depth, height: shape.height, width: shape.width)
    }

    /// A linear congruence, 0 up to (not including) 1: rough at every scale.
    static func noise(_ z: Int, _ y: Int, _ x: Int) -> Double {
        let place: Int = z * 7919 + y * 104_729 + x * 1_299_709
        return Double(place % 1021) / 1021
    }

    /// A wave of straight lines, 1 at multiples of the period and 0 between them.
    static func wave(_ place: Int, _ period: Int) -> Double {
        let half = period / 2
        return Double(abs(place % period - half)) / Double(half)
    }

    /// Rough voxels everywhere, for the vote.
    public func roughness(pool: ThreadPool) -> [Float] {
        filled(with: Float(0), pool) { z, y, row in
            for x in 0..<shape.width { row[x] = Float(Self.noise(z, y, x)) }
        }
    }

    /// Rows by number, slices on the pool's threads.
    func filled<Element: Sendable>(
        with value: Element, _ pool: ThreadPool, _ fill: (Int, Int, UnsafeMutableBufferPointer<Element>) -> Void
    ) -> [Element] {
        var voxels = [Element](repeating: value, count: shape.voxelCount)
        voxels.withUnsafeMutableBufferPointer { voxels in
            nonisolated(unsafe) let voxels = voxels
            pool.run(taskCount: shape.depth) { z in
                for y in 0..<shape.height {
                    let start = shape.index(z: z, y: y, x: 0)
                    fill(z, y, UnsafeMutableBufferPointer(rebasing: voxels[start..<start + shape.width]))
                }
            }
        }
        return voxels
    }
}
