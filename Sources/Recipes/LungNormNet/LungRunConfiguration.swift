import Foundation
import ModelCore

/// The `parameters` of a lung-normnet run: everything a worker must know beside the inputs.
public struct LungRunConfiguration: Codable, Hashable, Sendable {
    public var preset: Preset
    /// The plane all slabs share: the preset's, or larger where the data set's lungs need it.
    public var planeHeight: Int
    public var planeWidth: Int
    public var iterations: Int
    /// Healthy above this. nil while it is not calibrated yet.
    public var healthyThreshold: Double?
    /// Answers for each replica beside the vote's, for tables and to look at.
    public var memberAnswers: Bool

    public init(
        preset: Preset, planeHeight: Int, planeWidth: Int, iterations: Int, healthyThreshold: Double?,
        memberAnswers: Bool = false
    ) {
        self.preset = preset
        self.planeHeight = planeHeight
        self.planeWidth = planeWidth
        self.iterations = iterations
        self.healthyThreshold = healthyThreshold
        self.memberAnswers = memberAnswers
    }

    /// What a network sees at once.
    public var slabShape: TensorShape3D {
        TensorShape3D(depth: preset.slabDepth, height: planeHeight, width: planeWidth)
    }

    /// Sorted keys, so that equal configurations are equal text.
    public func json() -> String { JSONText.encode(self) }

    /// - Throws: `RecipeError.inputRefused` when the text is no configuration of this recipe.
    public init(json: String) throws {
        self = try JSONText.decode(LungRunConfiguration.self, json, what: "the run's configuration")
    }
}

/// JSON in one spelling: sorted keys, no spaces.
public enum JSONText {
    /// One line of JSON.
    public static func encode(_ value: some Encodable, pretty: Bool = false) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = pretty ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
            : [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else {
            preconditionFailure("\(type(of: value)) holds a number that JSON cannot say")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// - Parameter what: names the text in the error.
    /// - Throws: `RecipeError.inputRefused`.
    public static func decode<Value: Decodable>(_ type: Value.Type, _ text: String, what: String) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(text.utf8))
        } catch {
            throw RecipeError.inputRefused("\(what) is not what this version of quintet writes (\(error)); "
                + "make it again with the same version")
        }
    }
}
