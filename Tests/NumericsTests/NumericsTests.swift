import CKernels
import Foundation
import Numerics
import Testing

@Suite struct NumericsTests {
    @Test func philoxGivesThePublishedNumbers() {
        // The known answers of the Random123 distribution for philox4x32-10.
        var words = [UInt32](repeating: 0, count: 4)
        quintet_philox([0, 0, 0, 0], [0, 0], &words)
        #expect(words == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
        quintet_philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0], &words)
        #expect(words == [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
    }

    @Test func aStreamGivesTheSameNumbersInAnyOrderOfUse() {
        let key = RandomKey(seed: 7, replica: 3, iteration: 12, sample: 1, purpose: .lesionTexture)
        var all = [Float](repeating: 0, count: 1001), part = [Float](repeating: 0, count: 500)
        var stream = key.stream(5)
        var later = stream.skipping(501)
        all.withUnsafeMutableBufferPointer { stream.fill($0) }
        part.withUnsafeMutableBufferPointer { later.fill($0) }
        #expect(Array(all[501...]) == part)
        var other = RandomKey(seed: 7, replica: 3, iteration: 13, sample: 1, purpose: .lesionTexture).stream(5)
        #expect(other.uniform() != all[0])
    }

    /// Otherwise two replicas, samples or runs would see the same lesions, or a seed and another one be the same run.
    @Test func everyPartOfAKeyNamesNumbersOfItsOwn() {
        func key(
            seed: UInt64 = 7, replica: Int = 3, iteration: Int = 12, sample: Int = 1, _ purpose: RandomPurpose
        ) -> RandomKey {
            RandomKey(seed: seed, replica: replica, iteration: iteration, sample: sample, purpose: purpose)
        }
        let streams = [
            key(.lesionTexture).stream(), key(.lesionShapes).stream(), key(seed: 8, .lesionTexture).stream(),
            key(seed: 7 | 1 << 40, .lesionTexture).stream(), key(replica: 4, .lesionTexture).stream(),
            key(iteration: 13, .lesionTexture).stream(), key(iteration: 12 | 1 << 20, .lesionTexture).stream(),
            key(sample: 0, .lesionTexture).stream(), key(.lesionTexture).stream(1), key(.lesionTexture).stream(2),
        ]
        let rows = streams.map { stream in
            var stream = stream
            return (0..<200).map { _ in stream.uniform() }
        }
        // Not the same numbers, nor the same ones a little later.
        let windows = rows.flatMap { row in (0..<100).map { Array(row[$0..<($0 + 8)]) } }
        #expect(Set(windows).count == windows.count)
    }

    @Test func uniformsAndNormalsHaveTheirMoments() {
        var stream = RandomKey(seed: 1, purpose: .phantomNoise).stream()
        let count = 200_000
        let uniforms = (0..<count).map { _ in Double(stream.uniform()) }
        let normals = (0..<count).map { _ in Double(stream.normal()) }
        let uniformMean = uniforms.reduce(0, +) / Double(count)
        let normalMean = normals.reduce(0, +) / Double(count)
        let normalVariance = normals.reduce(0) { $0 + $1 * $1 } / Double(count)
        #expect(abs(uniformMean - 0.5) < 0.003)
        #expect(abs(normalMean) < 0.01 && abs(normalVariance - 1) < 0.02)
        let indexes = (0..<30_000).map { _ in stream.index(below: 3) }
        for value in 0..<3 { #expect(abs(indexes.filter { $0 == value }.count - 10_000) < 400) }
    }

    @Test func elementaryFunctionsAgreeWithTheCLibrary() {
        var stream = RandomKey(seed: 2, purpose: .phantomNoise).stream()
        for _ in 0..<20_000 {
            let x = Double(stream.uniform(-40, 40))
            #expect(abs(Portable.exp(x) / exp(x) - 1) < 4e-15)
            #expect(abs(Portable.log(abs(x) + 1e-9) - log(abs(x) + 1e-9)) < 4e-15 * max(1, abs(log(abs(x) + 1e-9))))
            #expect(abs(Portable.sin(x) - sin(x)) < 1e-15 && abs(Portable.cos(x) - cos(x)) < 1e-15)
        }
    }

    @Test(arguments: [1, 2, 4, 7]) func everyTaskRunsOnceOnAnyNumberOfThreads(threads: Int) {
        let pool = ThreadPool(threadCount: threads)
        for round in 0..<50 {
            var hits = [Int32](repeating: 0, count: 997)
            hits.withUnsafeMutableBufferPointer { buffer in
                nonisolated(unsafe) let buffer = buffer
                pool.run(taskCount: 997) { buffer[$0] += Int32(round + 1) }
            }
            #expect(hits.allSatisfy { $0 == Int32(round + 1) })
        }
    }
}
