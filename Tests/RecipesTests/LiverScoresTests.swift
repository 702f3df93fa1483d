import Recipes
import Testing

@Suite struct LiverScoresTests {
    private static func scores(_ maps: [[Float]], _ truth: [[UInt8]]) -> LiverScores {
        var scores = LiverScores()
        for (map, tumour) in zip(maps, truth) {
            map.withUnsafeBufferPointer { map in
                tumour.withUnsafeBufferPointer { scores.add(probabilities: map, tumour: $0) }
            }
        }
        return scores
    }

    /// Would notice a threshold that is met from below, Dice averaged over slices, and ties that count whole.
    @Test func scoresAreScipysAndNumpysToTheLastDigits() throws {
        let golden = try LiverPreparationTests.golden().scores
        let scores = Self.scores(golden.maps, golden.truth)
        #expect(scores.sliceCount == 20)
        #expect(abs(try #require(scores.areaUnderCurve(by: .maximum)) - golden.maximum) < 1e-12)
        #expect(abs(try #require(scores.areaUnderCurve(by: .area)) - golden.area) < 1e-12)
        #expect(abs(try #require(scores.pooled.dice) - golden.dice) < 1e-12)
    }

    @Test func whatCannotBeScoredIsNil() {
        #expect(Self.scores([[0.2, 0.9]], [[0, 1]]).areaUnderCurve(by: .maximum) == nil)
        #expect(Self.scores([[0.2], [0.1]], [[0], [0]]).pooled.dice == nil)
        let spoilt = Self.scores([[0.2, .nan, 0.3], [0.1, 0.1, 0.1]], [[0, 0, 1], [0, 0, 0]])
        #expect(spoilt.areaUnderCurve(by: .maximum) == nil && spoilt.areaUnderCurve(by: .area) == nil)
    }
}
