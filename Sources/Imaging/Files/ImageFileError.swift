import Numerics

/// Why an image file was refused or could not be written. `description` names the file, the fault and what to do.
public struct ImageFileError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable {
        /// No such file, no permission, a directory, an I/O error.
        case unreachable
        /// Something else than a CT volume: a picture, text, DICOM, another format.
        case foreign
        /// A NIfTI or MetaImage file of a kind that is not read here.
        case unsupported
        /// Shorter or longer than its header says, a broken compressed stream, a nonsensical header.
        case damaged
        /// Larger than `ImageLimits` allows, or a claim its bytes cannot hold.
        case limit
    }

    /// The file as its owner calls it.
    public var name: String
    public var kind: Kind
    /// One clause, no full stop.
    public var problem: String
    /// What to do, one clause, no full stop.
    public var remedy: String

    public init(_ name: String, _ kind: Kind, _ problem: String, remedy: String) {
        self.name = name
        self.kind = kind
        self.problem = problem
        self.remedy = remedy
    }

    /// One line without control characters: name and problem may have come with the file.
    public var description: String {
        "\(name.printable(most: 300)): \(problem.printable(most: 400)); \(remedy.printable(most: 400))"
    }

    static func damaged(_ name: String, _ problem: String) -> ImageFileError {
        ImageFileError(name, .damaged, problem, remedy: "get the file again from its source")
    }
}
