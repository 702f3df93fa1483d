import Foundation
import Imaging
import Numerics

extension BenchmarkField {
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
}

enum BenchmarkText {
    /// "12.3 million"
    static func millions(_ value: Double) -> String { String(format: "%.1f million", value / 1e6) }
}
