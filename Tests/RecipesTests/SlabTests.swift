import Foundation
import Imaging
import Testing

import Recipes

@Suite struct SlabTests {
    static func manifest(lung: [[Int]], excluded: [[Int]]) -> DataSetManifest {
        let entries = zip(lung, excluded).enumerated().map { number, volume in
            DataSetManifest.Entry(
                name: "v\(number)", sourceName: "v\(number).nii", imageDigest: "", lungDigest: "", imageByteCount: 0,
                lungByteCount: 0, depth: volume.0.count, lungVoxelsBySlice: volume.0, excludedSlices: volume.1,
                edgeVoxelsRemoved: 0, lungML: 0, brightShare: 0)
        }
        return DataSetManifest(preset: .demo, planeHeight: 64, planeWidth: 64, volumes: entries)
    }

    @Test func aSlabNeverHoldsASliceThatWasLeftOut() throws {
        let manifest = Self.manifest(
            lung: [Array(repeating: 100, count: 12), Array(repeating: 100, count: 9)], excluded: [[5], [0, 8]])
        let index = try SlabIndex(manifest: manifest, slabDepth: 4)
        for slab in index.slabs {
            let left = Set(manifest.volumes[slab.volume].excludedSlices)
            #expect((slab.firstSlice..<(slab.firstSlice + 4)).allSatisfy { !left.contains($0) })
        }
        #expect(index.slabs.map { [$0.volume, $0.firstSlice] } == [
            [0, 0], [0, 1], [0, 6], [0, 7], [0, 8], [1, 1], [1, 2], [1, 3], [1, 4],
        ])
    }

    @Test func lambdaIsTheShareOfTheFullestSlabAndNearlyEmptySlabsTeachNothing() throws {
        let index = try SlabIndex(
            manifest: Self.manifest(lung: [[0, 0, 4, 100, 100, 50, 0]], excluded: [[]]), slabDepth: 2)
        #expect(index.slabs.map(\.firstSlice) == [2, 3, 4, 5])
        #expect(index.slabs.map(\.lungShare) == [0.52, 1, 0.75, 0.25])
    }

    @Test func aDataSetWithoutASingleSlabIsRefusedWithTheRemedy() {
        let manifest = Self.manifest(lung: [[1, 1, 1]], excluded: [[1]])
        #expect { try SlabIndex(manifest: manifest, slabDepth: 2) } throws: { error in
            guard case RecipeError.inputRefused(let message) = error else { return false }
            return message.contains("2 healthy slices") && message.contains("prepare more CTs")
        }
    }

    @Test func slabsCoverEveryLungSliceAndOverlapByAQuarterAtLeast() {
        for (depth, lung) in [(40, 3..<37), (40, 0..<40), (10, 2..<9), (16, 0..<16), (64, 20..<25), (17, 0..<17)] {
            let plan = SlabPlan(depth: depth, lungSlices: lung, slabDepth: 16)
            let covered = Set(plan.firstSlices.flatMap { $0..<($0 + 16) })
            #expect(lung.allSatisfy(covered.contains), "\(depth) \(lung): \(plan.firstSlices)")
            #expect(plan.firstSlices == plan.firstSlices.sorted() && plan.firstSlices.allSatisfy { $0 >= 0 })
            for (a, b) in zip(plan.firstSlices, plan.firstSlices.dropFirst()) { #expect(b - a <= 12 && b > a) }
            // As few as that takes: the overlap is what is computed twice.
            let reach = max(lung.upperBound - min(lung.lowerBound, depth - 16), 16)
            #expect(depth < 16 || plan.firstSlices.count == 1 + (reach - 16 + 11) / 12, "\(plan.firstSlices)")
            #expect((0..<depth).allSatisfy { (plan.totalWeight($0) > 0) == covered.contains($0) })
        }
    }

    /// By hand: begin + floor(span * i / gaps), and min(o + 1, D - o).
    @Test func slabsLieAndWeighAsItIsWritten() {
        for (depth, lung, slab, firstSlices) in [
            (40, 3..<37, 16, [3, 12, 21]), (40, 0..<40, 16, [0, 12, 24]), (10, 2..<9, 16, [0]), (16, 0..<16, 16, [0]),
            (64, 20..<25, 16, [20]), (17, 0..<17, 16, [0, 1]), (60, 4..<57, 16, [4, 13, 22, 31, 41]),
            (20, 18..<20, 4, [16]), (7, 0..<7, 1, [0, 1, 2, 3, 4, 5, 6]),
        ] {
            let plan = SlabPlan(depth: depth, lungSlices: lung, slabDepth: slab)
            #expect(plan.firstSlices == firstSlices, "\(depth) \(lung) \(slab)")
        }
        let even = SlabPlan(depth: 7, lungSlices: 0..<6, slabDepth: 4)
        #expect((0..<4).map(even.weight) == [1, 2, 2, 1])
        #expect((0..<7).map(even.totalWeight) == [1, 2, 3, 3, 2, 1, 0])
        let odd = SlabPlan(depth: 5, lungSlices: 0..<5, slabDepth: 5)
        #expect((0..<5).map(odd.weight) == [1, 2, 3, 2, 1] && (0..<5).map(odd.totalWeight) == [1, 2, 3, 2, 1])
    }

    @Test func samplesComeInOrderHoweverManyThreadsMakeThem() throws {
        for threads in [1, 3] {
            let pipeline = SamplePipeline(first: 2, end: 12, batch: 2, threadCount: threads) {
                { iteration, sample, made in
                    Thread.sleep(forTimeInterval: Double((iteration * 7 + sample) % 3) * 0.001)
                    made.image = [Float(iteration), Float(sample)]
                }
            }
            for iteration in 2..<12 {
                for sample in 0..<2 {
                    let made = try pipeline.next()
                    #expect(made.image == [Float(iteration), Float(sample)])
                    pipeline.giveBack(made)
                }
            }
            pipeline.stop()
        }
    }

    @Test func aSampleThatFailsSaysSoWhereItIsTaken() {
        let pipeline = SamplePipeline(first: 0, end: 4, batch: 1) {
            { iteration, _, _ in if iteration == 1 { throw RecipeError.inputRefused("broken") } }
        }
        defer { pipeline.stop() }
        #expect(throws: Never.self) { try pipeline.next() }
        #expect(throws: RecipeError.self) { try pipeline.next() }
    }
}
