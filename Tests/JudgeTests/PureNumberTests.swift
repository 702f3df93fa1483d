import Imaging
import Numerics
import Recipes
import TestSupport
import Testing
import VotingAggregator

/// The judge's tables of pure numbers (`edges.json`): where rounding and ties decide.
@Suite struct PureNumberTests {
    private struct Numbers: Decodable {
        struct SlabPlanRow: Decodable {
            var depth: Int
            var lungFirst: Int
            var lungEnd: Int
            var slabDepth: Int
            var firstSlices: [Int]
            var totalWeights: [Float]
        }
        struct Box: Decodable {
            var spacing: [Double]
            var box9: [Int]
            var box7: [Int]
        }
        struct Window: Decodable {
            var least: Int
            var lungFirst: Int
            var lungEnd: Int
            var strideProduct: Int
            var size: Int
            var start: Int
        }
        struct Resampled: Decodable {
            var length: Int
            var from: Double
            var to: Double
            var resampled: Int
            var samplesInVoxel: Int
        }
        struct Nearest: Decodable {
            var length: Int
            var newLength: Int
            var from: Double
            var to: Double
            var exact: [Int]
            var halfwayInDoubles: [Int]
        }
        struct Threshold: Decodable {
            var dice: [Double]
            var threshold: Double
        }
        var slabPlans: [SlabPlanRow]
        var boxes: [Box]
        var windows: [Window]
        var resampling: [Resampled]
        var nearest: [Nearest]
        var thresholds: [Threshold]
    }

    private func numbers() throws -> Numbers { try JudgeGoldens().json(Numbers.self, "edges.json") }

    @Test func slabsCoverTheLungsAsTheJudgeSays() throws {
        let rows = try numbers().slabPlans
        #expect(rows.count > 20)
        for row in rows {
            let plan = SlabPlan(
                depth: row.depth, lungSlices: row.lungFirst..<row.lungEnd, slabDepth: row.slabDepth)
            #expect(plan.firstSlices == row.firstSlices, "\(row)")
            #expect((0..<row.depth).map(plan.totalWeight) == row.totalWeights, "\(row)")
        }
    }

    @Test func boxesHaveTheJudgesVoxelsAtAnySpacing() throws {
        let rows = try numbers().boxes
        #expect(rows.count > 10)
        for row in rows {
            let settings = PostProcessingSettings(
                spacing: Spacing(zMM: row.spacing[0], yMM: row.spacing[1], xMM: row.spacing[2]))
            #expect([settings.brightBox.z, settings.brightBox.y, settings.brightBox.x] == row.box9, "\(row)")
            #expect([settings.fullBox.z, settings.fullBox.y, settings.fullBox.x] == row.box7, "\(row)")
        }
    }

    @Test func windowsLieAroundTheLungsMiddle() throws {
        let rows = try numbers().windows
        #expect(rows.count > 10)
        for row in rows {
            let lung = VoxelBox(z: 0..<1, y: row.lungFirst..<row.lungEnd, x: row.lungFirst..<row.lungEnd)
            let window = PlaneWindow(centredOn: lung, height: row.size, width: row.size)
            #expect(window.startY == row.start && window.startX == row.start, "\(row)")
        }
    }

    /// A ramp shows where samples lie, and how many there are: it is the same ramp at the new voxels' centres.
    @Test func gridsHaveTheJudgesVoxelsAndSamples() throws {
        let rows = try numbers().resampling
        #expect(rows.count > 20)
        for row in rows {
            func spacing(_ mm: Double) -> Spacing { Spacing(zMM: mm, yMM: 1, xMM: 1) }
            let line = VolumeShape(depth: row.length, height: 1, width: 1)
            let mapping = GridMapping(sourceShape: line, sourceSpacing: spacing(row.from), to: spacing(row.to))
            #expect(mapping.targetShape.depth == row.resampled, "\(row)")
            // One bright voxel at a time: what a target voxel takes of it, by the rule as VOXEL.md states it.
            let ratio = row.to / row.from, count = row.samplesInVoxel
            for source in 0..<row.length {
                var voxels = [Float](repeating: 0, count: row.length)
                voxels[source] = 1
                let found = mapping.linear(
                    Volume(shape: line, geometry: Geometry(spacing: spacing(row.from)), voxels: voxels),
                    pool: JudgeGoldens.pool).voxels
                for (target, value) in found.enumerated() {
                    let places = (0..<count).map { sample in
                        let place = ratio / Double(count) * Double(target * count + sample)
                            + 0.5 * ratio / Double(count) - 0.5
                        return min(max(place, 0), Double(row.length - 1))
                    }
                    let expected = places.map { max(0, 1 - abs($0 - Double(source))) }.reduce(0, +) / Double(count)
                    #expect(abs(Double(value) - expected) < 1e-6, "\(row), voxel \(source) in \(target)")
                }
            }
        }
    }

    @Test func masksTakeTheNearestVoxelHalfwayUp() throws {
        let rows = try numbers().nearest
        #expect(rows.count >= 10)
        for row in rows {
            let line = VolumeShape(depth: 1, height: 1, width: row.length)
            let mapping = GridMapping(
                sourceShape: line, sourceSpacing: Spacing(zMM: 1, yMM: 1, xMM: row.from),
                targetShape: VolumeShape(depth: 1, height: 1, width: row.newLength),
                targetSpacing: Spacing(zMM: 1, yMM: 1, xMM: row.to))
            for source in 0..<row.length {
                var voxels = [UInt8](repeating: 0, count: row.length)
                voxels[source] = 1
                let found = mapping.nearest(
                    Mask(shape: line, geometry: Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: row.from)),
                         voxels: voxels), pool: JudgeGoldens.pool).voxels
                for target in 0..<row.newLength where !row.halfwayInDoubles.contains(target) {
                    #expect(found[target] == (row.exact[target] == source ? 1 : 0), "\(row.from), \(target)")
                }
            }
        }
    }

    @Test func theHighestOfTheBestThresholdsIsTaken() throws {
        let rows = try numbers().thresholds
        #expect(rows.count > 10)
        for row in rows { #expect(ThresholdCalibration.best(row.dice) == row.threshold, "\(row.dice)") }
    }
}
