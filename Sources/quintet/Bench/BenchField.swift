import Foundation
import Imaging
import ModelCore
import Numerics

/// Volumes for the benchmarks, made of whole-number arithmetic: other programs make the very same voxels from the same
/// lines, so that both sides of a comparison do the same work (cluster/benchmark.py).
struct BenchField {
    let shape: VolumeShape

    init(_ shape: TensorShape3D) {
        self.shape = VolumeShape(depth: shape.depth, height: shape.height, width: shape.width)
    }

    /// Two lungs: elliptic cylinders, or ellipsoids where `closed`. 1 inside.
    func lungs(closed: Bool, pool: ThreadPool) -> [UInt8] {
        let depth = Double(shape.depth), height = Double(shape.height), width = Double(shape.width)
        return filled(with: UInt8(0), pool) { z, y, row in
            let v = (Double(y) - 0.5 * height) / (0.29 * height), w = (Double(z) - 0.5 * depth) / (0.48 * depth)
            for x in 0..<shape.width {
                let left = (Double(x) - 0.3125 * width) / (0.166 * width)
                let right = (Double(x) - 0.6875 * width) / (0.166 * width)
                let inside = min(left * left, right * right) + v * v + (closed ? w * w : 0)
                row[x] = inside < 1 ? 1 : 0
            }
        }
    }

    /// A linear congruence, 0 up to (not including) 1: rough at every scale.
    private static func noise(_ z: Int, _ y: Int, _ x: Int) -> Double {
        let place: Int = z * 7919 + y * 104_729 + x * 1_299_709
        return Double(place % 1021) / 1021
    }

    /// A wave of straight lines, 1 at multiples of the period and 0 between them.
    private static func wave(_ place: Int, _ period: Int) -> Double {
        let half = period / 2
        return Double(abs(place % period - half)) / Double(half)
    }

    /// Rough voxels everywhere, for the vote.
    func roughness(pool: ThreadPool) -> [Float] {
        filled(with: Float(0), pool) { z, y, row in
            for x in 0..<shape.width { row[x] = Float(Self.noise(z, y, x)) }
        }
    }

    /// H and V of a made-up patient: dark tissue, bright vessels that the vote calls healthy, and rough lesions.
    func patient(lung: [UInt8], pool: ThreadPool) -> (intensity: [Float], healthy: [UInt8]) {
        // Both in one number: below 0 is healthy.
        var both = filled(with: Float(0), pool) { z, y, row in
            for x in 0..<shape.width where lung[shape.index(z: z, y: y, x: x)] != 0 {
                let noise = Self.noise(z, y, x)
                let lesion = Self.wave(z, 60) + Self.wave(y, 84) + Self.wave(x, 72) > 2.2
                let vessel = Self.wave(z, 24) + Self.wave(y, 20) + Self.wave(x, 28) > 2.6
                row[x] = Float(lesion ? 0.15 + 0.6 * noise : vessel ? -0.7 : 0.05 * noise)
            }
        }
        let healthy = both.map { $0 < 0 ? UInt8(1) : 0 }
        // Where it lies: a second volume of floats would be the most memory that the benchmark ever takes.
        for index in both.indices { both[index] = abs(both[index]) }
        return (both, healthy)
    }

    /// Rows by number, slices on the pool's threads.
    private func filled<Element: Sendable>(
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
