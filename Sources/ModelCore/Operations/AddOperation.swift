import CKernels

/// Adds one value to another.
struct Add: Operation {
    var from: ValueView
    var to: ValueView

    init(_ from: ValueView, to: ValueView) { (self.from, self.to) = (from, to) }

    var views: [ValueView] { [from, to] }
    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription { from.description("add") }
    func work(_ program: NetworkProgram) -> OperationWork { OperationWork(byteCount: from.byteCount(passes: 3)) }
    func kind(_ program: NetworkProgram) -> OperationKind { OperationKind("add", from) }

    func compute(on cpu: CPUBackend) { quintet_add(cpu.pool, cpu.layout(from), cpu.floats(from), cpu.floats(to)) }
}
