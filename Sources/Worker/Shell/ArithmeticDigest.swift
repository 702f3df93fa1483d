import Numerics
import Platform
import Protocol
import Recipes

/// What a worker's results depend on beside the work: the digest of its recipes' proofs.
package enum ArithmeticDigest {
    /// Of all recipes in the order of their names, each with its name and how long its proof is.
    ///
    /// - Throws: what a recipe throws that cannot compute its proof.
    package static func digest(of recipes: [String: any Recipe], pool: ThreadPool) throws -> ContentDigest {
        var hash = SHA256()
        for (name, recipe) in recipes.sorted(by: { $0.key < $1.key }) {
            let proof = try recipe.proveArithmetic(pool: pool)
            hash.update(Array("\(name) \(proof.count)\n".utf8))
            hash.update(proof)
        }
        return ContentDigest(bytes: hash.digest())
    }
}
