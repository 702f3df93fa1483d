/// Channels up to which a network's input and output lie planar (`PLANAR_CHANNELS_MAX` of the kernels).
let planarChannelsMax = 4

extension Graph {
    /// Values of few channels that lie channel by channel: the input and the output, and what is added to them or
    /// normed in their layout. Nothing of that may be a part of a concatenation, whose parts lie in blocks.
    func planarValues() -> Set<Value> {
        var groups = [Int](0..<valueCount), isJoined = [Bool](repeating: false, count: valueCount)
        func root(_ value: Int) -> Int {
            var value = value
            while groups[value] != value { value = groups[value] }
            return value
        }
        for layer in layers {
            let all = (layer.inputs + layer.outputs).map(\.number)
            if layer.keepsLayout { for value in all { groups[root(value)] = root(all[0]) } }
            if layer is ConcatenationLayer { for value in all { isJoined[value] = true } }
        }
        var planar: Set<Value> = []
        for end in [input, output] where channels(end) <= planarChannelsMax {
            let members = (0..<valueCount).filter { root($0) == root(end.number) }
            if !members.contains(where: { isJoined[$0] }) { planar.formUnion(members.map(Value.init(number:))) }
        }
        return planar
    }
}
