import Foundation
import Numerics
import Platform
import Protocol
import Recipes
import Testing
import Worker

@Suite struct ArithmeticDigestTests {
    private let pool = ThreadPool(threadCount: 2)

    private func digest(of text: String) -> ContentDigest {
        ContentDigest(bytes: SHA256.digest(of: Array(text.utf8)))
    }

    @Test func theDigestIsOfEveryRecipesNameAndProofByName() throws {
        let two: [String: any Recipe] = ["other": FakeRecipe(), "fake": FakeRecipe()]
        #expect(
            try ArithmeticDigest.digest(of: two, pool: pool)
                == digest(of: "fake 15\nfake arithmeticother 15\nfake arithmetic"))
        #expect(
            try ArithmeticDigest.digest(of: ["fake": FakeRecipe()], pool: pool)
                == digest(of: "fake 15\nfake arithmetic"))
    }

    /// What this program's workers say; `ArithmeticProofTests` says when it may change.
    @Test func aWorkersDigestIsThatOfTheArithmeticsVersion() throws {
        let golden = ["1": "edb064d611eab7b4bf314b6f976223cca9bde16c5169808b77bc3be8cb0689a9"]
        let digest = try ArithmeticDigest.digest(of: [LungNormNet.name: LungNormNet()], pool: pool)
        #expect("\(digest)" == golden[ArithmeticVersion.text])
    }
}
