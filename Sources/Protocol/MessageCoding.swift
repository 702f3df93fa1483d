/// Messages as frames and back. Every message that decodes encodes again to the same bytes (a `Hello` of a foreign
/// version excepted, of which only the first three fields are read).
public enum MessageCoding {
    /// One whole frame. The magic bytes before a connection's first frame are `FrameEncoder.magic`.
    ///
    /// - Throws: `overLimit`, `invalidText`, `invalidValue` or `frameTooLarge` when the message breaks a bound of
    ///   `Limits`: its receiver would refuse it.
    public static func encode(_ message: Message, requestID: UInt32) throws(ProtocolError) -> [UInt8] {
        var writer = ByteWriter(headerCount: Limits.frameHeaderBytes)
        try message.write(to: &writer)
        var bytes = writer.bytes
        writer = ByteWriter()
        try FrameEncoder.seal(&bytes, type: message.type.rawValue, requestID: requestID)
        return bytes
    }

    /// - Throws: what is wrong with the payload, naming the field.
    public static func decode(_ frame: Frame) throws(ProtocolError) -> (requestID: UInt32, message: Message) {
        guard let type = MessageType(rawValue: frame.type) else { throw .unknownType(frame.type) }
        var reader = ByteReader(frame.payload)
        let message = try Message(type, from: &reader)
        try reader.finish("\(type)")
        return (frame.requestID, message)
    }

    /// How many of these, from the first on, fit into one `outputs` message; at least 1 where there is one.
    public static func countOfOutputsThatFit(_ outputs: some Sequence<RunOutput>) throws(ProtocolError) -> Int {
        var byteCount = Limits.frameHeaderBytes + 8, fitting = 0
        for output in outputs {
            var writer = ByteWriter()
            try output.write(to: &writer)
            byteCount += writer.bytes.count
            if byteCount > Limits.frameBytesMax || fitting == Limits.runOutputsMax { break }
            fitting += 1
        }
        return fitting
    }
}

extension Message {
    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        switch self {
        case .hello(let hello): try hello.write(to: &writer)
        case .welcome(let welcome): try welcome.write(to: &writer)
        case .refusal(let refusal): try refusal.write(to: &writer)
        case .idle, .heartbeatAnswer, .accepted, .leave, .follow: break
        case .heartbeat, .checkpointSaved, .finished, .surrender: try writeFromWorker(to: &writer)
        case .assignment(let assignment): try assignment.write(to: &writer)
        case .revoke(let lease): lease.write(to: &writer)
        case .blobGet, .blobChunk, .blobOffer, .blobOffset, .blobPut: try writeBlob(to: &writer)
        case .following(let snapshot, let number):
            try snapshot.write(to: &writer)
            writer.write(number)
        case .standbyPart(let number, let isLast, let bytes):
            writer.write(number)
            writer.write(isLast)
            try writer.write(data: bytes, "standbyPart.bytes", max: Limits.blobChunkBytesMax)
        case .standbyHas(let number): writer.write(number)
        case .submit, .submitted, .statusRequest, .status, .outputsRequest, .outputs, .metricsRequest, .metrics:
            try writeClient(to: &writer)
        case .cancel(let run), .forget(let run), .pause(let run), .resume(let run), .closeItems(let run),
            .watch(let run), .changed(let run):
            writer.write(run.value)
        case .appendItems(let run, let first, let manifest):
            writer.write(run.value)
            writer.write(first)
            try manifest.write(to: &writer)
        case .collected(let run, let items):
            writer.write(run.value)
            try writer.write(list: items, "collected.items", max: Limits.collectedMax) {
                (writer, item) throws(ProtocolError) in writer.write(item)
            }
        case .wantedRequest(let run): writer.write(run.value)
        case .wanted(let digests):
            try writer.write(list: digests, "wanted.digests", max: Limits.wantedMax) {
                (writer, digest) throws(ProtocolError) in writer.write(digest)
            }
        case .prioritise(let run, let priority):
            writer.write(run.value)
            writer.write(priority)
        case .readmit(let machine): try writer.write(label: machine, "readmit.machine", max: Limits.peerNameBytesMax)
        case .drain(let worker): try writer.write(label: worker, "drain.worker", max: Limits.peerNameBytesMax)
        }
    }

    private func writeFromWorker(to writer: inout ByteWriter) throws(ProtocolError) {
        switch self {
        case .heartbeat(let progress):
            try writer.write(list: progress, "heartbeat.leases", max: Limits.leasesMax) {
                (writer, progress) throws(ProtocolError) in try progress.write(to: &writer)
            }
        case .checkpointSaved(let lease, let checkpoint, let metrics):
            lease.write(to: &writer)
            try checkpoint.write(to: &writer)
            try IterationFigures.write(metrics, to: &writer)
        case .finished(let result): try result.write(to: &writer)
        case .surrender(let lease, let reason, let message):
            lease.write(to: &writer)
            writer.write(reason.rawValue)
            try writer.write(text: message, "surrender.message", max: Limits.messageBytesMax)
        default: preconditionFailure("\(type) is no worker's message")
        }
    }

    private func writeBlob(to writer: inout ByteWriter) throws(ProtocolError) {
        switch self {
        case .blobGet(let digest, let offset, let byteCountMax):
            writer.write(digest)
            writer.write(offset)
            writer.write(byteCountMax)
        case .blobChunk(let digest, let offset, let byteCount, let bytes):
            writer.write(digest)
            writer.write(offset)
            writer.write(byteCount)
            try writer.write(data: bytes, "blobChunk.bytes", max: Limits.blobChunkBytesMax)
        case .blobOffer(let digest, let byteCount):
            writer.write(digest)
            writer.write(byteCount)
        case .blobOffset(let digest, let offset):
            writer.write(digest)
            writer.write(offset)
        case .blobPut(let digest, let offset, let bytes):
            writer.write(digest)
            writer.write(offset)
            try writer.write(data: bytes, "blobPut.bytes", max: Limits.blobChunkBytesMax)
        default: preconditionFailure("\(type) is no blob's message")
        }
    }

    private func writeClient(to writer: inout ByteWriter) throws(ProtocolError) {
        switch self {
        case .submit(let submission): try submission.write(to: &writer)
        case .submitted(let run): writer.write(run.value)
        case .statusRequest(let run, let history):
            try writer.write(optional: run) { (writer, run) throws(ProtocolError) in writer.write(run.value) }
            writer.write(history)
        case .status(let json): try writer.write(text: json, "status.json", max: Limits.statusBytesMax)
        case .outputsRequest(let run, let after, let countMax):
            writer.write(run.value)
            writer.write(after)
            writer.write(countMax)
        case .outputs(let outputs, let moreFollow):
            try writer.write(list: outputs, "outputs", max: Limits.runOutputsMax) {
                (writer, output) throws(ProtocolError) in try output.write(to: &writer)
            }
            writer.write(moreFollow)
        case .metricsRequest(let run, let step, let replica, let firstIteration):
            writer.write(run.value)
            try writer.write(label: step, "metricsRequest.step", max: Limits.stepLabelBytesMax)
            writer.write(replica)
            writer.write(firstIteration)
        case .metrics(let metrics, let moreFollow):
            try IterationFigures.write(metrics, to: &writer)
            writer.write(moreFollow)
        default: preconditionFailure("\(type) is no client's message")
        }
    }
}

extension Message {
    init(_ type: MessageType, from reader: inout ByteReader) throws(ProtocolError) {
        switch type {
        case .hello: self = .hello(try Hello(from: &reader))
        case .welcome: self = .welcome(try Welcome(from: &reader))
        case .refusal: self = .refusal(try Refusal(from: &reader))
        case .idle: self = .idle
        case .heartbeat, .checkpointSaved, .finished, .surrender: self = try Self.fromWorker(type, &reader)
        case .assignment: self = .assignment(try Assignment(from: &reader))
        case .heartbeatAnswer: self = .heartbeatAnswer
        case .accepted: self = .accepted
        case .revoke: self = .revoke(try Lease(from: &reader))
        case .blobGet, .blobChunk, .blobOffer, .blobOffset, .blobPut: self = try Self.blob(type, &reader)
        case .leave: self = .leave
        case .submit, .submitted, .statusRequest, .status, .outputsRequest, .outputs, .metricsRequest, .metrics:
            self = try Self.client(type, &reader)
        case .cancel: self = .cancel(RunID(try reader.number("cancel.run")))
        case .forget: self = .forget(RunID(try reader.number("forget.run")))
        case .pause: self = .pause(RunID(try reader.number("pause.run")))
        case .resume: self = .resume(RunID(try reader.number("resume.run")))
        case .prioritise:
            self = .prioritise(
                RunID(try reader.number("prioritise.run")), priority: try reader.number("prioritise.priority"))
        case .appendItems:
            self = .appendItems(
                RunID(try reader.number("appendItems.run")), first: try reader.number("appendItems.first"),
                manifest: try BlobReference(from: &reader))
        case .closeItems: self = .closeItems(RunID(try reader.number("closeItems.run")))
        case .collected:
            self = .collected(
                RunID(try reader.number("collected.run")),
                items: try reader.list("collected.items", max: Limits.collectedMax, elementBytesMin: 4) {
                    (reader) throws(ProtocolError) in try reader.number("collected.items")
                })
        case .wantedRequest: self = .wantedRequest(RunID(try reader.number("wantedRequest.run")))
        case .wanted:
            self = .wanted(
                try reader.list("wanted.digests", max: Limits.wantedMax, elementBytesMin: 32) {
                    (reader) throws(ProtocolError) in try reader.digest("wanted.digests")
                })
        case .readmit: self = .readmit(machine: try reader.label("readmit.machine", max: Limits.peerNameBytesMax))
        case .watch: self = .watch(RunID(try reader.number("watch.run")))
        case .changed: self = .changed(RunID(try reader.number("changed.run")))
        case .follow: self = .follow
        case .following:
            self = .following(try BlobReference(from: &reader), number: try reader.number("following.number"))
        case .standbyPart:
            self = .standbyPart(
                number: try reader.number("standbyPart.number"), isLast: try reader.flag("standbyPart.isLast"),
                bytes: try reader.data("standbyPart.bytes", max: Limits.blobChunkBytesMax))
        case .standbyHas: self = .standbyHas(number: try reader.number("standbyHas.number"))
        case .drain: self = .drain(worker: try reader.label("drain.worker", max: Limits.peerNameBytesMax))
        }
    }

    private static func fromWorker(_ type: MessageType, _ reader: inout ByteReader) throws(ProtocolError) -> Message {
        switch type {
        case .heartbeat:
            return .heartbeat(
                try reader.list("heartbeat.leases", max: Limits.leasesMax, elementBytesMin: LeaseProgress.bytesMin) {
                    (reader) throws(ProtocolError) in try LeaseProgress(from: &reader)
                })
        case .checkpointSaved:
            return .checkpointSaved(
                try Lease(from: &reader), try Checkpoint(from: &reader), try IterationFigures.list(from: &reader))
        case .finished: return .finished(try WorkResult(from: &reader))
        case .surrender:
            return .surrender(
                try Lease(from: &reader), try reader.code("surrender.reason"),
                try reader.text("surrender.message", max: Limits.messageBytesMax))
        default: preconditionFailure("\(type) is no worker's message")
        }
    }

    private static func blob(_ type: MessageType, _ reader: inout ByteReader) throws(ProtocolError) -> Message {
        let digest = try reader.digest("\(type).digest")
        switch type {
        case .blobGet:
            return .blobGet(
                digest, offset: try reader.blobByteCount("blobGet.offset"),
                byteCountMax: try reader.number("blobGet.byteCountMax"))
        case .blobChunk:
            return .blobChunk(
                digest, offset: try reader.blobByteCount("blobChunk.offset"),
                byteCount: try reader.blobByteCount("blobChunk.byteCount"),
                bytes: try reader.data("blobChunk.bytes", max: Limits.blobChunkBytesMax))
        case .blobOffer: return .blobOffer(digest, byteCount: try reader.blobByteCount("blobOffer.byteCount"))
        case .blobOffset: return .blobOffset(digest, offset: try reader.blobByteCount("blobOffset.offset"))
        case .blobPut:
            return .blobPut(
                digest, offset: try reader.blobByteCount("blobPut.offset"),
                bytes: try reader.data("blobPut.bytes", max: Limits.blobChunkBytesMax))
        default: preconditionFailure("\(type) is no blob's message")
        }
    }

    private static func client(_ type: MessageType, _ reader: inout ByteReader) throws(ProtocolError) -> Message {
        switch type {
        case .submit: return .submit(try Submission(from: &reader))
        case .submitted: return .submitted(RunID(try reader.number("submitted.run")))
        case .statusRequest:
            let run = try reader.optional("statusRequest.run") { (reader) throws(ProtocolError) in
                RunID(try reader.number("statusRequest.run"))
            }
            return .statusRequest(run, history: try reader.flag("statusRequest.history"))
        case .status: return .status(json: try reader.text("status.json", max: Limits.statusBytesMax))
        case .outputsRequest:
            return .outputsRequest(
                RunID(try reader.number("outputsRequest.run")), after: try reader.number("outputsRequest.after"),
                countMax: try reader.number("outputsRequest.countMax"))
        case .outputs:
            let outputs = try reader.list(
                "outputs", max: Limits.runOutputsMax, elementBytesMin: RunOutput.bytesMin
            ) { (reader) throws(ProtocolError) in try RunOutput(from: &reader) }
            return .outputs(outputs, moreFollow: try reader.flag("outputs.moreFollow"))
        case .metricsRequest:
            return .metricsRequest(
                RunID(try reader.number("metricsRequest.run")),
                step: try reader.label("metricsRequest.step", max: Limits.stepLabelBytesMax),
                replica: try reader.number("metricsRequest.replica"),
                firstIteration: try reader.number("metricsRequest.firstIteration"))
        case .metrics:
            return .metrics(
                try IterationFigures.list(from: &reader), moreFollow: try reader.flag("metrics.moreFollow"))
        default: preconditionFailure("\(type) is no client's message")
        }
    }
}
