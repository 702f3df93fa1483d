/// What the world can do to a network: a file that is no safetensors, weights of another network, a shape or a machine
/// that does not fit. Each message names the file and what to do.
public enum ModelError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file's bytes are not a valid safetensors file.
    case malformedFile(name: String, reason: String)
    /// A valid file that holds something else than asked for.
    case unsuitableFile(name: String, reason: String)
    case invalidConfiguration(String)
    /// The input's size does not suit the network.
    case unsuitableShape(String)
    case outOfMemory(byteCount: Int)
    /// This processor has no such instruction set, or there are no kernels of this name.
    case unavailableKernels(name: String, available: [String])

    public var description: String {
        switch self {
        case .malformedFile(let name, let reason):
            "\(name) is not a sound safetensors file: \(reason). Copy it again from where it came, or export it anew."
        case .unsuitableFile(let name, let reason): "\(name) does not fit: \(reason)"
        case .invalidConfiguration(let reason): "The network's description is not valid: \(reason)"
        case .unsuitableShape(let reason): reason
        case .outOfMemory(let byteCount):
            "The network needs \((byteCount >> 20) + 1) MiB of memory, which this machine does not give. "
                + "Use a smaller slab or preset."
        case .unavailableKernels(let name, let available):
            "There are no kernels \"\(name)\" on this processor; choose one of: "
                + available.joined(separator: ", ") + "."
        }
    }
}
