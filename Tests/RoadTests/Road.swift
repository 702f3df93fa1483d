import Foundation
import Platform
import TestSupport
import Testing

/// Runs the real program, as a user would: real processes, real sockets, real SQLite.
struct Road {
    struct Outcome {
        var code: Int32
        var output: String
        var errors: String
    }

    let folder: String

    /// The program that was built with the tests, beside them.
    static let program: String = {
        let beside = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        return beside.appendingPathComponent("quintet").path
    }()

    static let python: String? = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        .map { $0 + "/python3" }.first { FileManager.default.isExecutableFile(atPath: $0) }

    /// Set by cluster/sanitize.sh.
    static let isSanitized = ProcessInfo.processInfo.environment["QUINTET_SANITIZER"] != nil

    init() throws {
        folder = NSTemporaryDirectory() + "quintet-road-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    func path(_ relative: String) -> String { folder + "/" + relative }

    func bytes(_ relative: String) -> Data? { FileManager.default.contents(atPath: path(relative)) }

    /// Starts `quintet WORDS` in the folder and does not wait.
    func start(_ words: [String], environment: [String: String] = [:]) throws -> RunningProgram {
        try RunningProgram(words, folder: folder, environment: environment)
    }

    @discardableResult
    func run(_ words: String..., environment: [String: String] = [:]) throws -> Outcome {
        let program = try start(words, environment: environment)
        return program.wait()
    }

    /// Like `run`, and it must succeed.
    @discardableResult
    func succeed(_ words: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
        let outcome = try start(words).wait()
        #expect(
            outcome.code == 0, "quintet \(words.joined(separator: " ")): \(outcome.errors)",
            sourceLocation: sourceLocation)
        return outcome
    }

    /// "data": two healthy phantoms on a grid so coarse that a step takes milliseconds.
    /// - Parameter diseasedCount: phantoms to find lesions in, beside them.
    func prepareSmallData(diseasedCount: Int = 0) throws {
        try succeed(
            "phantom", "--out", "phantoms", "--count", "2", "--diseased", "\(diseasedCount)", "--spacing", "6,5,5",
            "--quiet")
        try succeed(
            "prepare", "phantoms/healthy", "--masks", "phantoms/lungs", "--out", "data", "--preset", "demo",
            "--spacing", "8,7,7", "--plane", "32,48", "--quiet")
    }
}

/// One process of the program. Its output goes to a file, so that nothing blocks on a full pipe.
final class RunningProgram {
    private let process: ChildProcess
    private let outputPath: String

    init(_ words: [String], folder: String, environment: [String: String]) throws {
        outputPath = folder + "/.process-" + UUID().uuidString
        // Through a shell, which goes to the folder, keeps the two outputs apart and is then the program itself.
        process = try ChildProcess(
            executable: "/bin/sh",
            arguments: ["-c", "cd \"$1\" && out=$2 && shift 2 && exec \"$@\" >$out.out 2>$out.err", "sh", folder]
                + [outputPath, Road.program] + words,
            environment: environment)
    }

    /// A test that throws leaves none behind.
    deinit {
        guard process.poll() == nil else { return }
        process.signal(SIGKILL)
        _ = process.wait()
    }

    var isRunning: Bool { process.poll() == nil }
    var processID: Int32 { process.processID }

    func signal(_ number: Int32) { process.signal(number) }

    /// SIGTERM, as soon as the program listens to it: in its first milliseconds, while it is still the shell say, a
    /// signal would kill it.
    func stop() -> Road.Outcome {
        _ = TestSupport.wait { !isRunning || catchesTermination }
        signal(SIGTERM)
        return wait()
    }

    private var catchesTermination: Bool {
        let status = FileManager.default.contents(atPath: "/proc/\(processID)/status") ?? Data()
        let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("SigCgt:") }
        let mask = line?.split(separator: "\t").last
        return (mask.flatMap { UInt64($0, radix: 16) } ?? 0) >> (SIGTERM - 1) & 1 == 1
    }

    /// - Returns: 128 and more for a signal, as a shell has it.
    func wait() -> Road.Outcome {
        let code: Int32
        switch process.wait() {
        case .code(let value): code = value
        case .signal(let number): code = 128 + number
        }
        return Road.Outcome(code: code, output: text(".out"), errors: text(".err"))
    }

    var errorsSoFar: String { text(".err") }
    var outputSoFar: String { text(".out") }

    private func text(_ ending: String) -> String {
        String(decoding: FileManager.default.contents(atPath: outputPath + ending) ?? Data(), as: UTF8.self)
    }
}
