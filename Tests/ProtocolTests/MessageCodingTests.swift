import TestSupport
import Protocol
import Testing

@Suite struct MessageCodingTests {
    private func frame(_ bytes: [UInt8]) throws -> Frame {
        var decoder = FrameDecoder(frameBytesMax: Limits.frameBytesMax, magicAwaited: false)
        decoder.append(bytes)
        let frame = try #require(try decoder.next())
        #expect(!decoder.isInsideFrame)
        return frame
    }

    private func roundTrip(_ message: Message, requestID: UInt32 = 5) throws {
        let bytes = try MessageCoding.encode(message, requestID: requestID)
        let decoded = try MessageCoding.decode(try frame(bytes))
        // Compared as bytes too: a NaN is not equal to itself.
        #expect(try MessageCoding.encode(decoded.message, requestID: decoded.requestID) == bytes)
        #expect(decoded.requestID == requestID)
    }

    @Test func everyTypeHasASample() {
        #expect(Samples.all.map(\.message.type) == MessageType.allCases)
    }

    @Test func everyMessageComesBackEqual() throws {
        for (message, requestID) in Samples.all {
            let decoded = try MessageCoding.decode(try frame(MessageCoding.encode(message, requestID: requestID)))
            #expect(decoded.message == message)
            #expect(decoded.requestID == requestID)
        }
    }

    @Test func extremeValuesComeBack() throws {
        let digest = ContentDigest(bytes: .init(repeating: 0xFF, count: 32))
        try roundTrip(.cancel(RunID(.max)), requestID: .max)
        try roundTrip(.revoke(Lease(work: WorkID(.max), epoch: .max)))
        try roundTrip(.statusRequest(nil, history: false))
        try roundTrip(.blobGet(digest, offset: Limits.blobBytesMax, byteCountMax: .max))
        try roundTrip(.blobChunk(digest, offset: 0, byteCount: 0, bytes: []))
        try roundTrip(.heartbeat([]))
        try roundTrip(.prioritise(RunID(.max), priority: .min))
        try roundTrip(.status(json: "Größe: 日本語\n\t\"\u{1F600}\""))
        let odd = [Double.nan, -.infinity, .leastNonzeroMagnitude, -0.0]
        let metrics = odd.map { IterationFigures(iteration: .max, ["loss": $0, "dice": $0, "seconds": $0]) }
        try roundTrip(.metrics(metrics, moreFollow: true))
    }

    /// The largest message of each type that the limits allow.
    private func largest() -> [Message] {
        func text(_ count: Int) -> String { String(repeating: "x", count: count) }
        let blob = BlobReference(
            role: text(Limits.roleBytesMax), name: text(Limits.nameBytesMax), digest: Samples.digest,
            byteCount: Limits.blobBytesMax)
        let inputs = [BlobReference](repeating: blob, count: Limits.inputsMax)
        let outputs = [BlobReference](repeating: blob, count: Limits.outputsMax)
        let names = (0..<Limits.figuresMax).map { "\($0)-" + text(Limits.figureNameBytesMax - "\($0)-".utf8.count) }
        let figures = IterationFigures(
            iteration: .max, Dictionary(uniqueKeysWithValues: names.map { ($0, 1.0) }))
        let metrics = [IterationFigures](repeating: figures, count: Limits.metricsMax)
        let progress = LeaseProgress(
            lease: Samples.lease, fraction: 1, iteration: .max, note: text(Limits.noteBytesMax))
        let chunk = [UInt8](repeating: 1, count: Limits.blobChunkBytesMax)
        let description = WorkDescription(
            run: RunID(1), recipe: text(Limits.recipeBytesMax), step: "train", kind: .session, replica: 1, seed: 1,
            parameters: text(Limits.parametersBytesMax), inputs: inputs)
        let checkpoint = Checkpoint(iteration: .max, blob: blob)
        let place = SharedPlace(digest: Samples.digest, path: text(Limits.sharedPathBytesMax))
        return [
            .heartbeat(.init(repeating: progress, count: Limits.leasesMax)),
            .checkpointSaved(Samples.lease, checkpoint, metrics),
            .finished(
                WorkResult(
                    lease: Samples.lease, outputs: outputs, reportJSON: text(Limits.reportBytesMax), metrics: metrics,
                    seconds: .greatestFiniteMagnitude)),
            .surrender(Samples.lease, .failed, text(Limits.messageBytesMax)),
            .assignment(
                Assignment(lease: Samples.lease, description: description, resume: checkpoint, checkpointSeconds: 1,
                    places: Array(repeating: place, count: Limits.itemInputsMax), answerFolder: place.path)),
            .blobChunk(Samples.digest, offset: 0, byteCount: Limits.blobBytesMax, bytes: chunk),
            .blobPut(Samples.digest, offset: 0, bytes: chunk),
            .submit(
                Submission(
                    plan: Self.largestPlan, recipe: text(Limits.recipeBytesMax),
                    parameters: text(Limits.parametersBytesMax),
                    seed: 1, replicaCount: UInt16(Limits.replicasMax), checkpointSeconds: 1,
                    inputs: inputs, itemManifest: blob, idempotencyKey: text(Limits.idempotencyKeyBytesMax),
                    label: text(Limits.runLabelBytesMax), submitter: text(Limits.submitterBytesMax),
                    memoryByteCount: .max, answerFolder: place.path)),
            .collected(RunID(1), items: Array(repeating: .max, count: Limits.collectedMax)),
            .wanted(Array(repeating: Samples.digest, count: Limits.wantedMax)),
            .status(json: text(Limits.statusBytesMax)),
            .metrics(metrics, moreFollow: true),
        ]
    }

    private static var largestPlan: Plan {
        func text(_ count: Int, _ number: Int = 0) -> String {
            "\(number)-" + String(repeating: "x", count: count - "\(number)-".utf8.count)
        }
        let input = StepInput(.run, role: text(Limits.roleBytesMax))
        return Plan(name: text(Limits.stepLabelBytesMax), steps: (0..<Limits.stepsMax).map {
            Step(
                label: text(Limits.stepLabelBytesMax, $0), kind: .session, fan: .replica,
                inputs: Array(repeating: input, count: Limits.stepInputsMax), iterationCount: .max)
        })
    }

    @Test func whateverTheLimitsAllowFitsIntoAFrame() throws {
        for message in largest() { try roundTrip(message) }
    }

    @Test func aHelloFitsIntoTheFrameBeforeTheWelcome() throws {
        let hello = Hello(
            role: .worker, versionMin: 4, versionMax: 4, build: String(repeating: "b", count: Limits.buildBytesMax),
            name: String(repeating: "n", count: Limits.peerNameBytesMax), threadCount: .max,
            device: String(repeating: "d", count: Limits.deviceBytesMax),
            held: .init(repeating: Samples.lease, count: Limits.leasesMax))
        #expect(try MessageCoding.encode(.hello(hello), requestID: 1).count <= Limits.frameBytesMaxBeforeWelcome)
        let refusal = Refusal(code: .version, message: String(repeating: "m", count: Limits.messageBytesMax))
        #expect(try MessageCoding.encode(.refusal(refusal), requestID: 1).count <= Limits.frameBytesMaxBeforeWelcome)
    }

    @Test func aSenderIsToldWhichBoundItBreaks() {
        let long = String(repeating: "x", count: Limits.nameBytesMax + 1)
        let blob = BlobReference(role: "ct", name: long, digest: Samples.digest, byteCount: 1)
        #expect(throws: ProtocolError.overLimit(field: "blob.name", count: 193, limit: 192)) {
            try MessageCoding.encode(
                .checkpointSaved(Samples.lease, Checkpoint(iteration: 1, blob: blob), []), requestID: 1)
        }
        #expect(throws: ProtocolError.self) {
            try MessageCoding.encode(
                .blobPut(Samples.digest, offset: 0, bytes: .init(repeating: 0, count: Limits.blobChunkBytesMax + 1)),
                requestID: 1)
        }
        #expect(throws: ProtocolError.self) {
            let progress = LeaseProgress(lease: Samples.lease, fraction: 0, iteration: 0, note: "")
            return try MessageCoding.encode(.heartbeat(.init(repeating: progress, count: 65)), requestID: 1)
        }
        for fraction in [-0.1, 1.1, Double.nan] {
            #expect(throws: ProtocolError.self) {
                try MessageCoding.encode(
                    .heartbeat([.init(lease: Samples.lease, fraction: fraction, iteration: 0, note: "")]), requestID: 1)
            }
        }
    }

    @Test func controlCharactersReachNoTerminal() throws {
        for bad in ["a\u{1B}[2J", "a\nb", "\u{0}", "\u{7F}", "\u{9B}31m"] {
            let hello = Hello(
                role: .worker, versionMin: 4, versionMax: 4, build: "b", name: bad, threadCount: 1, device: "cpu",
                held: [])
            #expect(throws: ProtocolError.invalidText(field: "hello.name")) {
                try MessageCoding.encode(.hello(hello), requestID: 1)
            }
        }
        // The same on arrival, from a sender that checks nothing.
        var payload = try frame(MessageCoding.encode(.refusal(Refusal(code: .unknown, message: "abc")), requestID: 1))
        payload.payload[payload.payload.count - 1] = 0x1B
        #expect(throws: ProtocolError.invalidText(field: "refusal.message")) { try MessageCoding.decode(payload) }
        payload.payload[payload.payload.count - 1] = 0xC3
        #expect(throws: ProtocolError.invalidText(field: "refusal.message")) { try MessageCoding.decode(payload) }
    }

    @Test func aPayloadCutAnywhereOrWithATailIsRefused() throws {
        for (message, requestID) in Samples.all {
            let whole = try frame(MessageCoding.encode(message, requestID: requestID))
            for count in 0..<whole.payload.count {
                let cut = Frame(type: whole.type, requestID: 1, payload: Array(whole.payload[..<count]))
                #expect(throws: ProtocolError.self) { try MessageCoding.decode(cut) }
            }
            let long = Frame(type: whole.type, requestID: 1, payload: whole.payload + [0])
            #expect(throws: ProtocolError.self) { try MessageCoding.decode(long) }
        }
    }

    @Test func aHostileCountAllocatesNothing() throws {
        // Figures of 8192 iterations announced in four bytes of payload, and 4096 inputs in an empty rest.
        let counts = Frame(type: MessageType.metrics.rawValue, requestID: 1, payload: [0, 0x00, 0x20, 0])
        #expect(throws: ProtocolError.truncated(field: "figures")) { try MessageCoding.decode(counts) }
        let tooMany = Frame(type: MessageType.metrics.rawValue, requestID: 1, payload: [0, 0xFF, 0xFF, 0])
        #expect(throws: ProtocolError.overLimit(field: "figures", count: 65535, limit: 8192)) {
            try MessageCoding.decode(tooMany)
        }
        let chunk = Samples.digest.bytes + [UInt8](repeating: 0, count: 8) + [0xFF, 0xFF, 0xFF, 0xFF]
        #expect(throws: ProtocolError.self) {
            try MessageCoding.decode(Frame(type: MessageType.blobPut.rawValue, requestID: 1, payload: chunk))
        }
        let offset = Samples.digest.bytes + [UInt8](repeating: 0xFF, count: 8)
        #expect(throws: ProtocolError.overLimit(field: "blobOffset.offset", count: .max, limit: Limits.blobBytesMax)) {
            try MessageCoding.decode(Frame(type: MessageType.blobOffset.rawValue, requestID: 1, payload: offset))
        }
    }

    @Test func randomPayloadsNeverTrapAndNeverDecodeAmbiguously() throws {
        var random = TestRandom(seed: 3), decodedCount = 0
        let wholes = try Samples.all.map { try frame(MessageCoding.encode($0.message, requestID: $0.requestID)) }
        for round in 0..<150_000 {
            // Half pure noise, half samples with a few bytes changed, which get much further.
            var payload: [UInt8]
            var type = MessageType.allCases.randomElement(using: &random)!.rawValue
            if round % 2 == 0 {
                payload = (0..<Int.random(in: 0...80, using: &random)).map { _ in .random(in: 0...255, using: &random) }
            } else {
                let whole = wholes.randomElement(using: &random)!
                (type, payload) = (whole.type, whole.payload)
                for _ in 0..<Int.random(in: 1...3, using: &random) where !payload.isEmpty {
                    payload[Int.random(in: 0..<payload.count, using: &random)] = .random(in: 0...255, using: &random)
                }
            }
            guard let decoded = try? MessageCoding.decode(Frame(type: type, requestID: 9, payload: payload)) else {
                continue
            }
            decodedCount += 1
            let ours = VersionNegotiation.versionMin...VersionNegotiation.versionMax
            if case .hello(let hello) = decoded.message,
                hello.versionMin > hello.versionMax || !ours.overlaps(hello.versionMin...hello.versionMax)
            { continue }
            let again = try MessageCoding.encode(decoded.message, requestID: 9)
            #expect(Array(again.dropFirst(Limits.frameHeaderBytes)) == payload)
        }
        #expect(decodedCount > 10_000)
    }

    @Test func randomStreamsNeverTrap() {
        var random = TestRandom(seed: 4)
        for _ in 0..<20_000 {
            var decoder = FrameDecoder(magicAwaited: false)
            decoder.append((0..<40).map { _ in .random(in: 0...255, using: &random) })
            // A small length, so that some get as far as the checksum.
            decoder.append([UInt8(0), 0, 0, 0])
            _ = try? decoder.next()
        }
    }

    @Test func outputsAreCutToWhatFits() throws {
        let large = RunOutput(
            sequence: 1, step: "finish", name: "v", state: .done, outputs: [],
            report: String(repeating: "x", count: 60_000))
        let outputs = [RunOutput](repeating: large, count: 100)
        let count = try MessageCoding.countOfOutputsThatFit(outputs)
        #expect(count == 17)
        #expect(throws: Never.self) {
            try MessageCoding.encode(.outputs(Array(outputs[..<count]), moreFollow: true), requestID: 1)
        }
        #expect(throws: ProtocolError.self) {
            try MessageCoding.encode(.outputs(Array(outputs[...count]), moreFollow: true), requestID: 1)
        }
        #expect(try MessageCoding.countOfOutputsThatFit([]) == 0)
    }
}
