import ModelCore

/// A replica whose two networks were trained in one step each time, and the way from its file to theirs.
enum LiverJointReplica {
    /// The file of one of the two, as if it had been trained by itself.
    /// - Parameters:
    ///   - file: what the step "together" ended with.
    ///   - step: "restore" or "segment": which one.
    /// - Throws: `RecipeError.inputRefused` where the file is something else.
    static func part(of file: SafeTensors, step: String) throws -> SafeTensors {
        typealias Both = RestoringSegmenter<RestoringNetwork>
        guard file.metadata["step"] == "together" else {
            throw RecipeError.inputRefused("\(file.name) is not of two networks that were trained together")
        }
        let prefixes = [Both.restorerPrefix, Both.segmenterPrefix], own = prefixes[step == "restore" ? 0 : 1]
        func part<Value>(_ all: [String: Value], othersToo: Bool) -> [String: Value] {
            var result: [String: Value] = [:]
            for (key, value) in all {
                if key.hasPrefix(own) {
                    result[String(key.dropFirst(own.count))] = value
                } else if othersToo, !prefixes.contains(where: key.hasPrefix) {
                    result[key] = value
                }
            }
            return result
        }
        var result = SafeTensors(name: step)
        result.metadata = part(file.metadata, othersToo: true)
        result.metadata["step"] = step
        result.tensors = part(file.tensors, othersToo: false)
        return result
    }
}
