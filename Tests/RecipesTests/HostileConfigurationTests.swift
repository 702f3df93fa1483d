import Foundation
import Imaging
import Recipes
import Testing

/// A run's configuration comes from a file or over the wire: every number is checked before anything is made of it.
@Suite struct HostileConfigurationTests {
    private static let good = LungRunConfiguration(
        preset: .demo, planeHeight: 96, planeWidth: 144, iterations: 10, healthyThreshold: 0.5)

    /// The configuration with one value replaced, as text.
    private static func json(_ path: [String], _ value: Any) throws -> String {
        var object = try #require(
            try JSONSerialization.jsonObject(with: Data(good.json().utf8)) as? [String: Any])
        if path.count == 1 {
            object[path[0]] = value
        } else {
            var inner = try #require(object[path[0]] as? [String: Any])
            if path.count == 3 {
                var innermost = try #require(inner[path[1]] as? [String: Any])
                innermost[path[2]] = value
                inner[path[1]] = innermost
            } else {
                inner[path[1]] = value
            }
            object[path[0]] = inner
        }
        return String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
    }

    @Test func whatQuintetWritesIsTaken() throws {
        for preset in Preset.all {
            let configuration = LungRunConfiguration(
                preset: preset, planeHeight: preset.planeHeight, planeWidth: preset.planeWidth,
                iterations: preset.iterations, healthyThreshold: preset.healthyThreshold)
            #expect(try LungRunConfiguration(json: configuration.json()) == configuration)
        }
    }

    @Test func impossibleNumbersAreRefusedByName() throws {
        let bad: [([String], Any)] = [
            (["planeHeight"], 0), (["planeHeight"], 1 << 40), (["planeWidth"], -1), (["iterations"], -5),
            (["healthyThreshold"], 1.5), (["preset", "slabDepth"], 0), (["preset", "slabDepth"], 1 << 30),
            (["preset", "spacing", "zMM"], 0), (["preset", "spacing", "xMM"], -1),
            (["preset", "spacing", "yMM"], 1e-30), (["preset", "spacing", "yMM"], 1e300),
            (["preset", "batch"], 0), (["preset", "batch"], 1 << 40), (["preset", "learningRate"], -1),
            (["preset", "tau"], 7), (["preset", "strides"], [0, 0]), (["preset", "strides"], [Int]()),
            (["preset", "channels"], [Int]()), (["preset", "channels"], [4096, 4096, 4096]),
            (["preset", "channels"], [-1, 2, 3]), (["preset", "residualUnits"], 1 << 40),
            (["preset", "planeWidth"], "wide"), (["preset"], NSNull()),
            (["maskDescription"], ""), (["maskDescription"], "two\nlines"), (["maskDescription"], "Lungenmaske \u{E4}"),
            (["maskDescription"], String(repeating: "q", count: 80)),
        ]
        for (path, value) in bad {
            let text = try Self.json(path, value)
            let error = #expect(throws: RecipeError.self, "\(path) = \(value)") {
                _ = try LungRunConfiguration(json: text)
            }
            #expect("\(try #require(error))".contains("configuration"), "\(path) = \(value)")
        }
    }

    @Test func textThatIsNoConfigurationIsRefused() {
        for text in [
            "", "{", "[]", "null", "{}", String(repeating: "[", count: 100_000),
            String(repeating: "{\"preset\":", count: 50_000), "\u{0}", "{\"planeHeight\": 1e999}",
        ] {
            #expect(throws: RecipeError.self) { _ = try LungRunConfiguration(json: text) }
        }
    }

    @Test func aBlobThatNamesAnotherFileIsRefused() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("quintet-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let header = """
            ObjectType = Image
            NDims = 3
            ElementSpacing = 1 1 1
            DimSize = 2 2 2
            ElementType = MET_UCHAR
            ElementDataFile = neighbour

            """
        try Data(header.utf8).write(to: URL(fileURLWithPath: folder + "/blob"))
        try Data([1, 2, 3, 4, 5, 6, 7, 8]).write(to: URL(fileURLWithPath: folder + "/neighbour"))
        // By its owner's hand it is a .mhd with its data; as a blob it may not look around.
        #expect(try ImageFile.read(path: folder + "/blob").volume.voxels == [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(throws: ImageFileError.self) { try ImageFile.read(single: folder + "/blob", name: "ct") }
    }
}
