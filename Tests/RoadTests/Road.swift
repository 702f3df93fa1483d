import Foundation
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
}

/// One process of the program. Its output goes to files, so that nothing blocks on a full pipe.
final class RunningProgram {
    private let process = Process()
    private let outputPath: String
    private let errorPath: String

    init(_ words: [String], folder: String, environment: [String: String]) throws {
        let stem = folder + "/.process-" + UUID().uuidString
        (outputPath, errorPath) = (stem + ".out", stem + ".err")
        for path in [outputPath, errorPath] { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        process.executableURL = URL(fileURLWithPath: Road.program)
        process.arguments = words
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: outputPath)
        process.standardError = FileHandle(forWritingAtPath: errorPath)
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    func wait() -> Road.Outcome {
        process.waitUntilExit()
        return Road.Outcome(code: process.terminationStatus, output: text(outputPath), errors: text(errorPath))
    }

    var errorsSoFar: String { text(errorPath) }

    private func text(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }
}
