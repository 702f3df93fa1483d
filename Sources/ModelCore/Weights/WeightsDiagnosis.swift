/// Why a file's tensors are not those of a network, in words that say what to do.
struct WeightsDiagnosis {
    let file: SafeTensors
    let wanted: [ParameterSpecification]

    /// - Parameter prefix: only the file's tensors under it count.
    /// - Returns: nil when names and shapes are the network's.
    func problem(prefix: String) -> String? {
        let names = Set(file.tensors.keys.filter { $0.hasPrefix(prefix) })
        let own = Set(wanted.map { prefix + $0.name })
        let missing = own.subtracting(names), extra = prefix.isEmpty ? names.subtracting(own) : []
        guard missing.isEmpty, extra.isEmpty else {
            return foreignPrefix(names, own) ?? otherLayers(missing: missing, extra: extra)
                ?? plain(missing: missing, extra: extra)
        }
        for specification in wanted {
            let shape = file.tensors[prefix + specification.name]!.shape
            guard shape != specification.shape else { continue }
            return "\(specification.name) has shape \(shape), the network's is \(specification.shape)"
                + (reason(for: shape, insteadOf: specification.shape).map { ": \($0)" } ?? "")
        }
        return nil
    }

    private func list(_ names: Set<String>) -> String {
        names.sorted().prefix(3).joined(separator: ", ") + (names.count > 3 ? " and \(names.count - 3) more" : "")
    }

    private func plain(missing: Set<String>, extra: Set<String>) -> String {
        missing.isEmpty
            ? "it holds \(list(extra)), which this network has not. Was it made for another one?"
            : "it lacks \(list(missing)). Was it made for another network?"
    }

    /// Names as they are in a wrapped or an enclosed module: `module.model.0...`.
    private func foreignPrefix(_ names: Set<String>, _ own: Set<String>) -> String? {
        guard let first = own.min(), let found = names.filter({ $0.hasSuffix("." + first) }).min() else { return nil }
        let prefix = String(found.dropLast(first.count))
        guard own.allSatisfy({ names.contains(prefix + $0) }) else { return nil }
        return "its tensors' names begin with \"\(prefix)\", as of a network inside another module; take it off in "
            + "Python before saving: save_file({k.removeprefix(\"\(prefix)\"): v for k, v in state.items() if "
            + "k.startswith(\"\(prefix)\")}, ...)"
    }

    private func otherLayers(missing: Set<String>, extra: Set<String>) -> String? {
        func hint(_ what: String, _ setting: String, _ names: Set<String>) -> String {
            "\(what) (\(list(names))), and its metadata says \(setting)"
        }
        let statistics = extra.filter { $0.contains(".running_") }
        if !statistics.isEmpty { return hint("it has running statistics", "norm=INSTANCE or None", statistics) }
        let scales = extra.filter { $0.hasSuffix(".adn.N.weight") || $0.hasSuffix(".adn.N.bias") }
        if !scales.isEmpty { return hint("its norm has numbers of its own", "norm=INSTANCE or None", scales) }
        let biases = missing.filter { $0.hasSuffix(".bias") }
        if !biases.isEmpty, biases == missing {
            return hint("it lacks biases", "bias=True, which alone is computed here", biases)
        }
        let slopes = missing.filter { $0.hasSuffix(".adn.A.weight") }
        if !slopes.isEmpty, slopes == missing { return hint("it lacks the slopes of PReLU", "act=PRELU", slopes) }
        return nil
    }

    private func reason(for shape: [Int], insteadOf wanted: [Int]) -> String? {
        guard wanted.count >= 4 else { return wanted == [1] ? "only PReLU with one slope is computed here" : nil }
        if (3...5).contains(shape.count), shape.count != wanted.count {
            return "a network of \(shape.count - 2) dimensions, and its metadata says spatial_dims=\(wanted.count - 2)"
        }
        guard shape.count == wanted.count, shape[..<2] == wanted[..<2], shape[2...] != wanted[2...] else { return nil }
        return "another kernel_size or up_kernel_size, or other strides"
    }
}
