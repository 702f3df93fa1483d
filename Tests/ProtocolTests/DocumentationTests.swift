import Glibc
import Protocol
import Testing

/// docs/PROTOCOL.md and the code say the same. After a deliberate change of the protocol, which is a new version
/// unless nobody has the old one, write the examples anew and read the difference:
///
///     QUINTET_WRITE_EXAMPLES=1 swift test --filter everyExampleOfThePageIsWhatTheCodeWrites
@Suite struct DocumentationTests {
    private let path = String(#filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 })
        + "/docs/PROTOCOL.md"

    private static let volumes = [ItemSubmission(
        name: "P002", inputs: [Samples.volume], paths: ["ct/P002.nii.gz"], memoryByteCount: 3 << 30)]

    /// What the code writes, by the name in the page's headings.
    private func examples() throws -> [(name: String, bytes: [UInt8])] {
        try Samples.all.map { ("\($0.message.type)", try MessageCoding.encode($0.message, requestID: $0.requestID)) }
            + [("manifest", try ItemManifest.encode(Self.volumes))]
    }

    @Test func everyExampleOfThePageIsWhatTheCodeWrites() throws {
        if getenv("QUINTET_WRITE_EXAMPLES") != nil { try write() }
        let found = try pageExamples()
        #expect(found.map(\.name) == (try examples()).map(\.name))
        for (example, page) in zip(try examples(), found) {
            #expect(page.bytes == example.bytes, "\(example.name) in docs/PROTOCOL.md is not what the code writes")
        }
    }

    @Test func everyExampleOfThePageIsRead() throws {
        let page = try pageExamples()
        #expect(page.count == Samples.all.count + 1)
        for (example, sample) in zip(page, Samples.all) {
            var decoder = FrameDecoder(magicAwaited: false)
            decoder.append(example.bytes)
            let frame = try #require(try decoder.next())
            let (requestID, message) = try MessageCoding.decode(frame)
            #expect(message == sample.message)
            #expect(requestID == sample.requestID)
        }
        #expect(try ItemManifest.decode(try #require(page.last).bytes) == Self.volumes)
    }

    @Test func everyTypeHasItsHeadingWithItsNumber() throws {
        let headings = try lines().filter { $0.hasPrefix("### ") }
        #expect(headings == MessageType.allCases.map { "### \($0) (\($0.rawValue))" })
    }

    /// The bounds that the page names are those of the code.
    @Test func theBoundsOfThePageAreThoseOfTheCode() throws {
        let page = try lines().joined(separator: "\n")
        for bound in [
            "label ≤ \(Limits.roleBytesMax) role", "label ≤ \(Limits.nameBytesMax) name",
            "| build | label ≤ \(Limits.buildBytesMax) |", "| name | label ≤ \(Limits.peerNameBytesMax) |",
            "| device | label ≤ \(Limits.deviceBytesMax) |", "| held | list ≤ \(Limits.leasesMax) of lease |",
            "| message | text ≤ \(Limits.messageBytesMax) |", "label ≤ \(Limits.noteBytesMax) note",
            "list ≤ \(Limits.metricsMax) of: u32 iteration", "| outputs | list ≤ \(Limits.outputsMax) of blob |",
            "| reportJSON | text ≤ \(Limits.reportBytesMax) |", "| recipe | label ≤ \(Limits.recipeBytesMax) |",
            "| parameters | text ≤ \(Limits.parametersBytesMax) |",
            "| inputs | list ≤ \(Limits.inputsMax) of blob |",
            "| bytes | bytes ≤ \(Limits.blobChunkBytesMax) |", "at most \(Limits.replicasMax) |",
            "| idempotencyKey | label ≤ \(Limits.idempotencyKeyBytesMax) |",
            "| json | text ≤ \(Limits.statusBytesMax) |", "| outputs | list ≤ \(Limits.runOutputsMax) of:",
            "| items | list ≤ \(Limits.manifestItemsMax) of:", "list ≤ \(Limits.itemInputsMax) of blob |",
            "| steps | list ≤ \(Limits.stepsMax) of:", "list ≤ \(Limits.stepInputsMax) of:",
            "label ≤ \(Limits.stepLabelBytesMax)", "list ≤ \(Limits.figuresMax) of name",
            "may have \(Limits.frameBytesMaxBeforeWelcome >> 10) KiB", "\(Limits.frameBytesMax >> 20) MiB.",
            "\(Limits.handshakeMilliseconds / 1000) s", "has \(Limits.frameMilliseconds / 1000) s",
            "\(Limits.queuedBytesMax >> 20) MiB queued", "where \(Limits.watchedRunsMax) others are watched",
        ] {
            #expect(page.contains(bound), "docs/PROTOCOL.md does not say '\(bound)'")
        }
    }

    // MARK: - The page

    private func lines() throws -> [String] {
        let file = try #require(fopen(path, "r"), "docs/PROTOCOL.md is missing")
        defer { fclose(file) }
        var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }

    private func pageExamples() throws -> [(name: String, bytes: [UInt8])] {
        var examples: [(name: String, bytes: [UInt8])] = [], isInside = false
        for line in try lines() {
            if line.hasPrefix("```hex ") {
                examples.append((String(line.dropFirst(7)), []))
                isInside = true
            } else if line.hasPrefix("```") {
                isInside = false
            } else if isInside {
                for digits in line.split(separator: " ") {
                    examples[examples.count - 1].bytes.append(try #require(UInt8(digits, radix: 16), "\(line)"))
                }
            }
        }
        return examples
    }

    private func write() throws {
        let examples = Dictionary(uniqueKeysWithValues: try examples().map { ($0.name, $0.bytes) })
        var written: [String] = [], isInside = false
        for line in try lines() {
            if line.hasPrefix("```hex ") {
                written.append(line)
                written += hexLines(try #require(examples[String(line.dropFirst(7))]))
                isInside = true
            } else {
                if line.hasPrefix("```") { isInside = false }
                if !isInside { written.append(line) }
            }
        }
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        #expect(fputs(written.joined(separator: "\n"), file) >= 0)
    }

    private func hexLines(_ bytes: [UInt8]) -> [String] {
        stride(from: 0, to: bytes.count, by: 16).map { start in
            bytes[start..<min(start + 16, bytes.count)].map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined(separator: " ")
        }
    }
}
