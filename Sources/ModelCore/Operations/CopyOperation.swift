import CKernels

/// Copies a value as it lies in memory.
struct Copy: Operation {
    var from: ValueView
    var to: ValueView

    init(_ from: ValueView, to: ValueView) { (self.from, self.to) = (from, to) }

    var views: [ValueView] { [from, to] }
    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription { from.description("copy") }
    func work(_ program: NetworkProgram) -> OperationWork { OperationWork(byteCount: from.byteCount(passes: 2)) }
    func kind(_ program: NetworkProgram) -> OperationKind { OperationKind("copy", from) }

    func compute(on cpu: CPUBackend) {
        cpu.floats(to).update(from: cpu.floats(from), count: MemoryPlan.floatCount(ValueShape(from.layout)))
    }
}
