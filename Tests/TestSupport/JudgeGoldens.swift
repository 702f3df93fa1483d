import Foundation

/// What the judge of `Tests/Judge` says must come out, and the files it is said of.
package struct JudgeGoldens {
    /// A folder below the goldens: a case, or one of the others.
    package let folder: String

    package static let cases = ["oblique", "flipped", "thin", "leave-out"]

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../Judge/Goldens").standardized.path

    /// - Parameter folder: "" for what is common to all.
    package init(_ folder: String = "") { self.folder = folder }

    package func path(_ name: String) -> String {
        [Self.root, folder, name].filter { !$0.isEmpty }.joined(separator: "/")
    }

    /// The one file whose name begins so, whatever its format.
    package func path(beginning start: String) throws -> String {
        let names = try FileManager.default.contentsOfDirectory(atPath: path("")).filter { $0.hasPrefix(start) }
        guard names.count == 1 else { throw Missing(what: "\(path(start))*: \(names)") }
        return path(names[0])
    }

    package func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }

    package func json<Value: Decodable>(_ type: Value.Type = Value.self, _ name: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes(name)))
    }

    struct Missing: Error {
        var what: String
    }
}

/// One golden case in numbers (`CASE/case.json`).
package struct JudgedCase: Decodable {
    package struct Prepared: Decodable {
        package var shape: [Int]
        package var windowStart: [Int]
        package var windowSize: [Int]
        package var edgeVoxelsRemoved: Int
        package var excludedSlices: [Int]
        package var lungVoxelsBySlice: [Int]
        package var lungML: Double
        package var brightShare: Double
    }

    package struct Answering: Decodable {
        package struct Slabs: Decodable {
            package var firstSlices: [Int]
            package var weights: [Float]
            package var totalWeights: [Float]
        }

        package var shape: [Int]
        package var windowStart: [Int]
        package var lungVoxels: Int
        package var brightVoxels: Int
        package var voxelsOfExactlyTau: Int
        package var slabs: Slabs
    }

    /// Of one answer, on the file's grid.
    package struct Figures: Decodable {
        package var lesionVoxels: Int
        package var withoutGrowingVoxels: Int
        package var lesion_ml: Double
        package var lung_ml: Double
        package var lesion_percent: Double
        package var lesion_without_growing_ml: Double
    }

    package struct Answer: Decodable {
        package var figures: Figures
    }

    package var training: Prepared
    package var answering: Answering
    package var healthyVoxelsInLung: [Int]
    package var answers: [String: Answer]
    /// Of the command `vote`: "vote", and "vote-limited" to 12 mm. Only where its files are.
    private var vote: VoteFigures?

    package var voted: (all: Figures, limited: Figures)? { vote.map { ($0.vote, $0.limited) } }

    private struct VoteFigures: Decodable {
        var vote: Figures
        var limited: Figures

        private enum CodingKeys: String, CodingKey {
            case vote
            case limited = "vote-limited"
        }
    }
}
