// The records inside messages: for each one how it is written and, in the same order, read.

extension ByteReader {
    /// An offset into or the size of a blob, so that sums of two of them never overflow.
    mutating func blobByteCount(_ field: String) throws(ProtocolError) -> UInt64 {
        let count: UInt64 = try number(field)
        guard count <= Limits.blobBytesMax else {
            throw .overLimit(field: field, count: count, limit: Limits.blobBytesMax)
        }
        return count
    }
}

extension Lease {
    static let bytes = 16

    func write(to writer: inout ByteWriter) {
        writer.write(work.value)
        writer.write(epoch)
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        self.init(work: WorkID(try reader.number("lease.work")), epoch: try reader.number("lease.epoch"))
    }
}

extension BlobReference {
    static let bytesMin = 42

    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        try writer.write(label: role, "blob.role", max: Limits.roleBytesMax)
        try writer.write(label: name, "blob.name", max: Limits.nameBytesMax)
        writer.write(digest)
        writer.write(byteCount)
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        self.init(
            role: try reader.label("blob.role", max: Limits.roleBytesMax),
            name: try reader.label("blob.name", max: Limits.nameBytesMax),
            digest: try reader.digest("blob.digest"), byteCount: try reader.blobByteCount("blob.byteCount"))
    }

    static func write(
        _ list: [BlobReference], _ field: String, max: Int, to writer: inout ByteWriter
    ) throws(ProtocolError) {
        try writer.write(list: list, field, max: max) {
            (writer, blob) throws(ProtocolError) in try blob.write(to: &writer)
        }
    }

    static func list(
        _ field: String, max: Int, from reader: inout ByteReader
    ) throws(ProtocolError) -> [BlobReference] {
        try reader.list(field, max: max, elementBytesMin: bytesMin) {
            (reader) throws(ProtocolError) in try BlobReference(from: &reader)
        }
    }
}

extension Hello {
    /// The first three fields are the same in every version of the protocol (see `VersionNegotiation`).
    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        writer.write(versionMin)
        writer.write(versionMax)
        try writer.write(label: build, "hello.build", max: Limits.buildBytesMax)
        writer.write(role.rawValue)
        try writer.write(label: name, "hello.name", max: Limits.peerNameBytesMax)
        writer.write(threadCount)
        try writer.write(label: device, "hello.device", max: Limits.deviceBytesMax)
        try writer.write(list: held, "hello.held", max: Limits.leasesMax) {
            (writer, lease) throws(ProtocolError) in lease.write(to: &writer)
        }
        writer.write(memoryByteCount)
        try writer.write(optional: arithmetic) { (writer, digest) throws(ProtocolError) in writer.write(digest) }
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        let versionMin: UInt16 = try reader.number("hello.versionMin")
        let versionMax: UInt16 = try reader.number("hello.versionMax")
        let build = try reader.label("hello.build", max: Limits.buildBytesMax)
        guard VersionNegotiation.isSpoken(versionMin, versionMax) else {
            // What follows is in a layout that we don't know, and of no use: the answer is a refusal.
            reader.skipRest()
            self.init(
                role: .client, versionMin: versionMin, versionMax: versionMax, build: build, name: "",
                threadCount: 0, device: "", held: [])
            return
        }
        self.init(
            role: try reader.code("hello.role"), versionMin: versionMin, versionMax: versionMax, build: build,
            name: try reader.label("hello.name", max: Limits.peerNameBytesMax),
            threadCount: try reader.number("hello.threadCount"),
            device: try reader.label("hello.device", max: Limits.deviceBytesMax),
            held: try reader.list("hello.held", max: Limits.leasesMax, elementBytesMin: Lease.bytes) {
                (reader) throws(ProtocolError) in try Lease(from: &reader)
            },
            memoryByteCount: try reader.number("hello.memoryByteCount"),
            arithmetic: try reader.optional("hello.arithmetic") {
                (reader) throws(ProtocolError) in try reader.digest("hello.arithmetic")
            })
    }
}

extension Welcome {
    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        writer.write(version)
        try writer.write(label: build, "welcome.build", max: Limits.buildBytesMax)
        writer.write(heartbeatMilliseconds)
        writer.write(leaseMilliseconds)
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        self.init(
            version: try reader.number("welcome.version"),
            build: try reader.label("welcome.build", max: Limits.buildBytesMax),
            heartbeatMilliseconds: try reader.number("welcome.heartbeatMilliseconds"),
            leaseMilliseconds: try reader.number("welcome.leaseMilliseconds"))
    }
}

extension Refusal {
    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        writer.write(code.rawValue)
        try writer.write(text: message, "refusal.message", max: Limits.messageBytesMax)
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        self.init(
            code: try reader.code("refusal.code"),
            message: try reader.text("refusal.message", max: Limits.messageBytesMax))
    }
}

extension Checkpoint {
    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        writer.write(iteration)
        try blob.write(to: &writer)
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        self.init(iteration: try reader.number("checkpoint.iteration"), blob: try BlobReference(from: &reader))
    }
}

extension WorkDescription {
    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        writer.write(run.value)
        try writer.write(label: recipe, "description.recipe", max: Limits.recipeBytesMax)
        try writer.write(label: step, "description.step", max: Limits.stepLabelBytesMax)
        writer.write(kind.rawValue)
        writer.write(replica)
        writer.write(seed)
        try writer.write(text: parameters, "description.parameters", max: Limits.parametersBytesMax)
        try BlobReference.write(inputs, "description.inputs", max: Limits.inputsMax, to: &writer)
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        self.init(
            run: RunID(try reader.number("description.run")),
            recipe: try reader.label("description.recipe", max: Limits.recipeBytesMax),
            step: try reader.label("description.step", max: Limits.stepLabelBytesMax),
            kind: try reader.code("description.kind"), replica: try reader.number("description.replica"),
            seed: try reader.number("description.seed"),
            parameters: try reader.text("description.parameters", max: Limits.parametersBytesMax),
            inputs: try BlobReference.list("description.inputs", max: Limits.inputsMax, from: &reader))
    }
}

extension Assignment {
    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        lease.write(to: &writer)
        try description.write(to: &writer)
        try writer.write(optional: resume) { (writer, resume) throws(ProtocolError) in try resume.write(to: &writer) }
        writer.write(checkpointSeconds)
        try writer.write(optional: checkedUntil) { (writer, until) throws(ProtocolError) in writer.write(until) }
        try writer.write(list: places, "assignment.places", max: Limits.itemInputsMax) {
            (writer, place) throws(ProtocolError) in
            writer.write(place.digest)
            try SharedPlace.write(place.path, "place.path", to: &writer)
        }
        try SharedPlace.write(answerFolder, "assignment.answerFolder", mayBeEmpty: true, to: &writer)
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        self.init(
            lease: try Lease(from: &reader), description: try WorkDescription(from: &reader),
            resume: try reader.optional("assignment.resume") {
                (reader) throws(ProtocolError) in try Checkpoint(from: &reader)
            },
            checkpointSeconds: try reader.number("assignment.checkpointSeconds"),
            checkedUntil: try reader.optional("assignment.checkedUntil") {
                (reader) throws(ProtocolError) in try reader.number("assignment.checkedUntil")
            },
            places: try reader.list("assignment.places", max: Limits.itemInputsMax, elementBytesMin: 35) {
                (reader) throws(ProtocolError) in
                SharedPlace(
                    digest: try reader.digest("place.digest"), path: try SharedPlace.path("place.path", from: &reader))
            },
            answerFolder: try SharedPlace.path("assignment.answerFolder", mayBeEmpty: true, from: &reader))
    }
}

extension SharedPlace {
    /// Only what stays below its root is written or read.
    static func write(
        _ path: String, _ field: String, mayBeEmpty: Bool = false, to writer: inout ByteWriter
    ) throws(ProtocolError) {
        try writer.write(label: try checked(path, field, mayBeEmpty), field, max: Limits.sharedPathBytesMax)
    }

    static func path(
        _ field: String, mayBeEmpty: Bool = false, from reader: inout ByteReader
    ) throws(ProtocolError) -> String {
        try checked(try reader.label(field, max: Limits.sharedPathBytesMax), field, mayBeEmpty)
    }

    private static func checked(
        _ path: String, _ field: String, _ mayBeEmpty: Bool
    ) throws(ProtocolError) -> String {
        guard isBelowRoot(path) || (mayBeEmpty && path.isEmpty) else {
            throw .invalidValue(field: field, value: path)
        }
        return path
    }
}

extension LeaseProgress {
    static let bytesMin = 29

    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        lease.write(to: &writer)
        guard fraction >= 0, fraction <= 1 else {
            throw .invalidValue(field: "progress.fraction", value: "\(fraction)")
        }
        writer.write(fraction)
        writer.write(iteration)
        try writer.write(label: note, "progress.note", max: Limits.noteBytesMax)
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        let lease = try Lease(from: &reader)
        let fraction = try reader.double("progress.fraction")
        guard fraction >= 0, fraction <= 1 else {
            throw .invalidValue(field: "progress.fraction", value: "\(fraction)")
        }
        self.init(
            lease: lease, fraction: fraction, iteration: try reader.number("progress.iteration"),
            note: try reader.label("progress.note", max: Limits.noteBytesMax))
    }
}

extension WorkResult {
    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        lease.write(to: &writer)
        try BlobReference.write(outputs, "result.outputs", max: Limits.outputsMax, to: &writer)
        try writer.write(text: reportJSON, "result.reportJSON", max: Limits.reportBytesMax)
        try IterationFigures.write(metrics, to: &writer)
        writer.write(try Seconds.checked(seconds, "result.seconds"))
        writer.write(isShared)
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        self.init(
            lease: try Lease(from: &reader),
            outputs: try BlobReference.list("result.outputs", max: Limits.outputsMax, from: &reader),
            reportJSON: try reader.text("result.reportJSON", max: Limits.reportBytesMax),
            metrics: try IterationFigures.list(from: &reader),
            seconds: try Seconds.checked(try reader.double("result.seconds"), "result.seconds"),
            isShared: try reader.flag("result.isShared"))
    }
}

/// How long something took: finite, and not less than nothing.
private enum Seconds {
    static func checked(_ value: Double, _ field: String) throws(ProtocolError) -> Double {
        guard value.isFinite, value >= 0 else { throw .invalidValue(field: field, value: "\(value)") }
        return value
    }
}

extension Submission {
    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        try plan.write(to: &writer)
        try writer.write(label: recipe, "submission.recipe", max: Limits.recipeBytesMax)
        try writer.write(text: parameters, "submission.parameters", max: Limits.parametersBytesMax)
        writer.write(seed)
        writer.write(try Self.checked(replicaCount))
        writer.write(checkpointSeconds)
        try BlobReference.write(inputs, "submission.inputs", max: Limits.inputsMax, to: &writer)
        try writer.write(optional: itemManifest) {
            (writer, manifest) throws(ProtocolError) in try manifest.write(to: &writer)
        }
        writer.write(isOpen)
        try writer.write(label: idempotencyKey, "submission.idempotencyKey", max: Limits.idempotencyKeyBytesMax)
        try writer.write(label: label, "submission.label", max: Limits.runLabelBytesMax)
        try writer.write(label: submitter, "submission.submitter", max: Limits.submitterBytesMax)
        writer.write(memoryByteCount)
        writer.write(try Self.share(verifyShare))
        try SharedPlace.write(answerFolder, "submission.answerFolder", mayBeEmpty: true, to: &writer)
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        let plan = try Plan(from: &reader)
        let recipe = try reader.label("submission.recipe", max: Limits.recipeBytesMax)
        let parameters = try reader.text("submission.parameters", max: Limits.parametersBytesMax)
        let seed: UInt64 = try reader.number("submission.seed")
        let replicaCount = try Self.checked(try reader.number("submission.replicaCount"))
        let checkpointSeconds: UInt32 = try reader.number("submission.checkpointSeconds")
        let inputs = try BlobReference.list("submission.inputs", max: Limits.inputsMax, from: &reader)
        let itemManifest = try reader.optional("submission.itemManifest") {
            (reader) throws(ProtocolError) in try BlobReference(from: &reader)
        }
        let isOpen = try reader.flag("submission.isOpen")
        self.init(
            plan: plan, recipe: recipe, parameters: parameters, seed: seed, replicaCount: replicaCount,
            checkpointSeconds: checkpointSeconds, inputs: inputs, itemManifest: itemManifest,
            idempotencyKey: try reader.label("submission.idempotencyKey", max: Limits.idempotencyKeyBytesMax),
            label: try reader.label("submission.label", max: Limits.runLabelBytesMax),
            submitter: try reader.label("submission.submitter", max: Limits.submitterBytesMax),
            memoryByteCount: try reader.number("submission.memoryByteCount"), isOpen: isOpen,
            verifyShare: try Self.share(try reader.double("submission.verifyShare")),
            answerFolder: try SharedPlace.path("submission.answerFolder", mayBeEmpty: true, from: &reader))
    }

    private static func share(_ value: Double) throws(ProtocolError) -> Double {
        guard value >= 0, value <= 1 else {
            throw .invalidValue(field: "submission.verifyShare", value: "\(value)")
        }
        return value
    }

    private static func checked(_ replicaCount: UInt16) throws(ProtocolError) -> UInt16 {
        guard Int(replicaCount) <= Limits.replicasMax else {
            throw .overLimit(
                field: "submission.replicaCount", count: UInt64(replicaCount), limit: UInt64(Limits.replicasMax))
        }
        return replicaCount
    }
}

extension RunOutput {
    static let bytesMin = 27

    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        writer.write(sequence)
        try writer.write(label: step, "output.step", max: Limits.stepLabelBytesMax)
        try writer.write(label: name, "output.name", max: Limits.nameBytesMax)
        writer.write(state.rawValue)
        try BlobReference.write(outputs, "output.outputs", max: Limits.outputsMax, to: &writer)
        try writer.write(text: report, "output.report", max: Limits.reportBytesMax)
        try writer.write(optional: item) { (writer, item) throws(ProtocolError) in writer.write(item) }
        try writer.write(label: worker, "output.worker", max: Limits.peerNameBytesMax)
        writer.write(try Seconds.checked(seconds, "output.seconds"))
        writer.write(isShared)
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        self.init(
            sequence: try reader.number("output.sequence"),
            step: try reader.label("output.step", max: Limits.stepLabelBytesMax),
            name: try reader.label("output.name", max: Limits.nameBytesMax),
            state: try reader.code("output.state"),
            outputs: try BlobReference.list("output.outputs", max: Limits.outputsMax, from: &reader),
            report: try reader.text("output.report", max: Limits.reportBytesMax),
            item: try reader.optional("output.item") {
                (reader) throws(ProtocolError) in try reader.number("output.item")
            },
            worker: try reader.label("output.worker", max: Limits.peerNameBytesMax),
            seconds: try Seconds.checked(try reader.double("output.seconds"), "output.seconds"),
            isShared: try reader.flag("output.isShared"))
    }
}
