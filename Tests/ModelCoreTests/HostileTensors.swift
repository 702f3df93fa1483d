import ModelCore

/// What a fuzzer's bytes do to the reader of safetensors. cluster/fuzz.sh calls it with new bytes, CorpusTests with
/// those of earlier runs. It must end, whatever the bytes, and refuse by name what it does not read.
enum HostileTensors {
    /// The first byte decides whether the rest is the file as it is, or the header of one whose length is put right,
    /// with as many bytes of data as the byte says.
    static func take(_ input: [UInt8]) {
        guard let choice = input.first else { return }
        var file = Array(input.dropFirst())
        if choice >= 128 {
            let length = (0..<8).map { UInt8(truncatingIfNeeded: file.count >> (8 * $0)) }
            file = length + file + [UInt8](repeating: choice, count: Int(choice - 128))
        }
        do {
            let read = try SafeTensors(bytes: file, name: "fuzzed")
            for tensor in read.tensors.values {
                precondition(tensor.floats().map { $0.count == tensor.count } ?? true, "a tensor of another size")
                _ = tensor.integer
            }
            // What is read is written, and read again as it was.
            let again = try SafeTensors(bytes: read.serialised(), name: "fuzzed")
            precondition(again == read, "a file changes on its way")
            _ = try UNetModel(file: read)
        } catch {
            precondition("\(error)".contains("fuzzed"), "a refusal without a name: \(error)")
        }
    }
}
