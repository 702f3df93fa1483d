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
        let golden = ["1": "d242b95bdc49237b8ce1da3cc27e63fcceedcc3d419ee1f9e41edde70d49b0ed"]
        let digest = try ArithmeticDigest.digest(of: [LungNormNet.name: LungNormNet()], pool: pool)
        #expect("\(digest)" == golden[ArithmeticVersion.text])
    }
}
