import ModelCore

/// A replica's network as other programs are to use it: what goes in, what comes out, and what a program must know that
/// has nothing but the file.
public struct ReplicaNetwork: Sendable {
    /// With metadata that say which network it is.
    public var weights: SafeTensors
    /// Of one sample. A network in two dimensions has depth 1.
    public var shape: TensorShape3D
    /// Of what goes in: "intensity".
    public var inputName: String
    /// What input and output are, for people: axes, values, classes.
    public var documentation: String
    /// The same for programs: "classes", "axes", "window_hu", ...
    public var properties: [String: String]

    public init(
        weights: SafeTensors, shape: TensorShape3D, inputName: String, documentation: String,
        properties: [String: String]
    ) {
        (self.weights, self.shape, self.inputName) = (weights, shape, inputName)
        (self.documentation, self.properties) = (documentation, properties)
    }
}

extension RecipeInput {
    /// A file of weights.
    /// - Throws: `RecipeError.inputRefused` where it is none.
    func weights() throws -> SafeTensors {
        do {
            return try SafeTensors(bytes: try InputFile.bytes(self), name: name)
        } catch let error as ModelError {
            throw RecipeError.inputRefused("\(error)")
        }
    }
}
