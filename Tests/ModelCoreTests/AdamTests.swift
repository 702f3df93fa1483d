import CKernels
import ModelCore
import Numerics
import Testing

/// Gradients of many sizes that change from step to step.
private func gradients(_ step: Int, _ count: Int) -> [Float] {
    var stream = RandomKey(seed: 11, purpose: .phantomNoise).stream(UInt32(step))
    return (0..<count).map { index in
        stream.uniform(-1, 1) * [1e-9, 1e-5, 0.1, 10][index % 4] * (1 + Float(step))
    }
}

struct AdamTests {
    /// The formulas of Kingma and Ba with PyTorch's constants, in double.
    @Test func twoHundredStepsFollowTheFormulasInDouble() {
        let count = 64, rate = 3e-4, pool = ThreadPool(threadCount: 1)
        var mean = [Double](repeating: 0, count: count), square = mean, weights = mean
        for step in 1...200 {
            for (i, gradient) in gradients(step, count).map(Double.init).enumerated() {
                mean[i] = 0.9 * mean[i] + 0.1 * gradient
                square[i] = 0.999 * square[i] + 0.001 * gradient * gradient
                let unbiased = mean[i] / (1 - pow(0.9, step)), spread = square[i] / (1 - pow(0.999, step))
                weights[i] -= rate * unbiased / (spread.squareRoot() + 1e-8)
            }
        }
        for variant in variants {
            var (m, v, w) = ([Float](), [Float](), [Float]())
            variant.force {
                m = [Float](repeating: 0, count: count)
                (v, w) = (m, m)
                for step in 1...200 {
                    quintet_adam(
                        pool.handle, count, rate, 0.9, 0.999, 1e-8, Int64(step), gradients(step, count), &m, &v, &w)
                }
            }
            for i in 0..<count {
                #expect(abs(Double(v[i]) / square[i] - 1) < 4e-6, "\(variant), square \(i)")
                #expect(abs(Double(m[i]) - mean[i]) < 1e-6 * square[i].squareRoot(), "\(variant), mean \(i)")
                #expect(abs(Double(w[i]) - weights[i]) < 1e-6 * rate * 200, "\(variant), weight \(i)")
            }
        }
    }
}

private func pow(_ base: Double, _ exponent: Int) -> Double {
    (0..<exponent).reduce(1) { product, _ in product * base }
}
