import Imaging
import Numerics
import Testing
import VotingAggregator

@Suite struct SegmentationMetricsTests {
    private func row(_ bits: [Int]) -> BitMask {
        var mask = BitMask(shape: VolumeShape(depth: 1, height: 1, width: bits.count))
        for (x, bit) in bits.enumerated() { mask[0, 0, x] = bit == 1 }
        return mask
    }

    @Test func scoresFollowTheirDefinitions() throws {
        let answer = row([1, 1, 1, 0, 0, 0, 0, 0]), truth = row([0, 1, 1, 1, 1, 0, 0, 0])
        let counts = try ConfusionCounts(answer: answer, truth: truth)
        #expect(counts == ConfusionCounts(truePositives: 2, falsePositives: 1, falseNegatives: 2, trueNegatives: 3))
        let scores = SegmentationScores(counts)
        #expect(scores.dice == 4.0 / 7 && scores.precision == 2.0 / 3 && scores.sensitivity == 0.5)
        #expect(scores.specificity == 0.75)
        let within = try ConfusionCounts(answer: answer, truth: truth, within: row([1, 1, 0, 0, 1, 1, 0, 0]))
        #expect(within == ConfusionCounts(truePositives: 1, falsePositives: 1, falseNegatives: 1, trueNegatives: 1))
        #expect(throws: VotingError.self) { try ConfusionCounts(answer: answer, truth: row([1])) }
    }

    @Test func whatCannotBeScoredIsNotScored() throws {
        let empty = row([0, 0]), full = row([1, 1])
        let nothing = SegmentationScores(try ConfusionCounts(answer: empty, truth: empty))
        #expect(nothing.dice == nil && nothing.precision == nil && nothing.sensitivity == nil)
        #expect(nothing.specificity == 1)
        let missed = SegmentationScores(try ConfusionCounts(answer: empty, truth: full))
        #expect(missed.dice == 0 && missed.precision == 0 && missed.sensitivity == 0 && missed.specificity == nil)
        #expect(ScoreSummary([nil]) == nil)
        let summary = ScoreSummary([1, nil, 3])
        #expect(summary?.mean == 2 && summary?.standardDeviation == 1 && summary?.count == 2)
    }

    @Test func theAreaCountsPairsWithTiesAsHalf() throws {
        #expect(AreaUnderCurve.area(scores: [1, 2, 3, 4], labels: [false, false, true, true]) == 1)
        #expect(AreaUnderCurve.area(scores: [1, 1, 1], labels: [false, true, true]) == 0.5)
        #expect(AreaUnderCurve.area(scores: [1, 2], labels: [true, true]) == nil)
        #expect(AreaUnderCurve.area(scores: [1, .nan], labels: [true, false]) == nil)

        var stream = RandomKey(seed: 4, purpose: .phantomNoise).stream()
        let shape = VolumeShape(depth: 2, height: 5, width: 70)
        let scores = (0..<shape.voxelCount).map { _ in Float(stream.index(below: 9)) / 8 }
        let (truth, region) = (
            BitMaskTests.noise(shape, share: 0.3, seed: 5), BitMaskTests.noise(shape, share: 0.5, seed: 6)
        )
        let inside = region.voxels.indices.filter { region.voxels[$0] == 1 }
        var won = 0.0, pairs = 0.0
        for positive in inside where truth.voxels[positive] == 1 {
            for negative in inside where truth.voxels[negative] == 0 {
                pairs += 1
                won += scores[positive] > scores[negative] ? 1 : scores[positive] == scores[negative] ? 0.5 : 0
            }
        }
        let listed = AreaUnderCurve.area(
            scores: inside.map { Double(scores[$0]) }, labels: inside.map { truth.voxels[$0] == 1 })
        let binned = try AreaUnderCurve.area(
            scores: region.with(scores), truth: BitMask(truth), within: BitMask(region))
        #expect(abs(listed! - won / pairs) < 1e-12 && abs(binned! - won / pairs) < 1e-12)
    }

    @Test func theBurdenIsInMillilitresAndPercent() throws {
        let burden = try LesionBurden(
            lesion: row([1, 1, 0, 0, 0, 1]), lung: row([1, 1, 1, 1, 0, 0]),
            geometry: Geometry(spacing: Spacing(zMM: 10, yMM: 10, xMM: 10)))
        #expect(burden.lesionML == 3 && burden.lungML == 4 && burden.lungPercent == 50)
        // Lesions outside of the lung are no share of it.
        let outside = try LesionBurden(
            lesion: row([1, 1, 0, 0, 1, 1]), lung: row([1, 1, 1, 1, 0, 0]),
            geometry: Geometry(spacing: Spacing(zMM: 10, yMM: 10, xMM: 10)))
        #expect(outside.lesionML == 4 && outside.lungPercent == 50)
        // A gantry's tilt: the slices' slanted edge is 12.5 mm long, and they are 10 mm apart.
        let tilted = try LesionBurden(
            lesion: row([1, 1, 0, 0, 0, 1]), lung: row([1, 1, 1, 1, 0, 0]),
            geometry: Geometry(affine: [10, 0, 0, 0, 0, 10, 7.5, 0, 0, 0, 10, 0]))
        #expect(abs(tilted.lesionML - 3) < 1e-9 && abs(tilted.lungML - 4) < 1e-9)
    }
}
