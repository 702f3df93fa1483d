/// Two losses of one network, made small together.
struct LossSum: LossLayer {
    var first: any LossLayer
    var second: any LossLayer

    func append(_ lowering: inout Lowering, of graph: Graph) {
        first.append(&lowering, of: graph)
        second.append(&lowering, of: graph)
    }
}
