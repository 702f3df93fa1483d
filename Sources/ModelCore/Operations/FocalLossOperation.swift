import CKernels

/// Focal loss (Lin et al. 2017) of the softmax with smoothed labels and alpha 1, the mean over all pixels of a batch,
/// and its gradient with respect to the logits (method B).
struct FocalLoss: Operation, LossLayer {
    var gamma: Double
    /// What a label gives to the other classes.
    var smoothing: Double
    private var logits: ValueView?
    private var gradient: ValueView?

    init(gamma: Double = 2, smoothing: Double = 1e-5) { (self.gamma, self.smoothing) = (gamma, smoothing) }

    func append(_ lowering: inout Lowering, of graph: Graph) {
        var operation = self
        operation.logits = lowering.view(of: graph.output)
        operation.gradient = lowering.beginGradient(of: graph.output)
        lowering.append(operation)
    }

    var views: [ValueView] { [logits!, gradient!] }
    func description(_ program: NetworkProgram, isBackward: Bool) -> OperationDescription {
        logits!.description("loss")
    }
    func work(_ program: NetworkProgram) -> OperationWork { OperationWork(byteCount: logits!.byteCount(passes: 2)) }
    func kind(_ program: NetworkProgram) -> OperationKind {
        OperationKind("focal loss of \(logits!.layout.channels) classes", logits!)
    }

    func compute(on cpu: CPUBackend) {
        var figures = quintet_loss_figures()
        var focal = quintet_focal(gamma: gamma, smooth: smoothing, alpha: nil)
        quintet_focal_loss(
            cpu.pool, cpu.layout(logits!), cpu.floats(logits!), cpu.targetClasses, &focal, cpu.lossScale,
            cpu.floats(gradient!), &figures)
        cpu.report(figures)
    }
}
