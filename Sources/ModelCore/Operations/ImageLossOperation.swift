import CKernels

/// The mean of |x - target| or of (x - target)^2 over all pixels, and its gradient with respect to x.
struct ImageLoss: Operation, LossLayer {
    enum Kind: Sendable {
        /// L1.
        case absolute
        /// L2.
        case square
    }

    var kind: Kind
    private var output: ValueView?
    private var gradient: ValueView?
    private var target: ValueView?

    init(_ kind: Kind) { self.kind = kind }

    func append(_ lowering: inout Lowering, of graph: Graph) {
        let image = graph.image ?? graph.output
        var operation = self
        operation.output = lowering.view(of: image)
        operation.gradient = lowering.beginGradient(of: image)
        operation.target = lowering.targetImage(of: image)
        lowering.append(operation)
    }

    var views: [ValueView] { [output!, gradient!, target!] }
    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        output!.description("loss")
    }
    func work(_ program: NetworkProgram) -> OperationWork { OperationWork(byteCount: output!.byteCount(passes: 3)) }
    func kind(_ program: NetworkProgram) -> OperationKind { OperationKind("loss of an image", output!) }

    func compute(on cpu: CPUBackend) {
        let elements = quintet_elements(layout: cpu.layout(output!), plain: 0)
        var figures = quintet_loss_figures()
        let kernel = kind == .absolute ? quintet_absolute_error : quintet_square_error
        kernel(
            cpu.pool, elements, cpu.floats(output!), cpu.floats(target!), cpu.lossScale, cpu.floats(gradient!),
            &figures.loss)
        cpu.report(figures)
    }
}
