import CKernels

/// MONAI's DiceCELoss (to_onehot_y, softmax) over all classes and its gradient with respect to the logits.
struct DiceCrossEntropy: Operation, LossLayer {
    private var logits: ValueView?
    private var gradient: ValueView?

    init() {}

    func append(_ lowering: inout Lowering, of graph: Graph) {
        var operation = self
        operation.logits = lowering.view(of: graph.output)
        operation.gradient = lowering.beginGradient(of: graph.output)
        lowering.append(operation)
    }

    var views: [ValueView] { [logits!, gradient!] }
    func scratchFloats(_ program: NetworkProgram) -> Int { logits!.sumScratchFloats }

    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        logits!.description("loss")
    }

    /// Logits and classes are read for the sums and again for the gradient.
    func work(_ program: NetworkProgram) -> OperationWork {
        let layout = logits!.layout
        let classes = 2 * Double(layout.depth) * Double(layout.height) * Double(layout.width)
        return OperationWork(byteCount: logits!.byteCount(passes: 3) + classes)
    }

    func kind(_ program: NetworkProgram) -> OperationKind {
        OperationKind("loss of \(logits!.layout.channels) classes", logits!)
    }

    func compute(on cpu: CPUBackend) {
        var figures = quintet_loss_figures()
        quintet_dice_cross_entropy(
            cpu.pool, cpu.layout(logits!), cpu.floats(logits!), cpu.targetClasses, cpu.lossScale, cpu.doubles,
            cpu.floats(gradient!), &figures)
        cpu.report(figures)
    }
}
