import Platform

/// Runs scripts on a lab's machines by ssh. It never asks anybody anything, and never waits for ever.
struct SecureShell: Sendable {
    /// "ssh" and people's own options; what they say counts before what is said here.
    var command: [String]

    private static let options = [
        "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5",
        "-o", "ServerAliveCountMax=4", "-o", "ForwardX11=no", "-o", "ClearAllForwardings=yes",
    ]

    /// A machine that cannot be talked with, or will not; `description` is for people.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// - Parameters:
    ///   - name: what the script says at its end.
    ///   - input: what the script reads.
    ///   - file: what it reads then.
    ///   - silentSecondsMax: a machine that takes and says nothing for so long is given up: its home may hang.
    ///   - isStoppable: Ctrl-C ends it; otherwise it is waited for.
    /// - Throws: `Failure`, also where the script refuses; `Interrupted`.
    func run(
        _ script: String, name: String, on host: LabHost, input: [UInt8] = [], file: String? = nil,
        silentSecondsMax: Int = 60, isStoppable: Bool = true
    ) throws -> LabAnswer {
        let bytes = Array(script.utf8)
        var process = PipedProcess(
            executable: command[0],
            arguments: Array(command.dropFirst()) + Self.options
                + ["--", host.name, Shell.reading(scriptOf: bytes.count)])
        process.outputBytesMax = 8 << 20
        let answer = try process.run(
            input: bytes + input, file: file, silentSecondsMax: silentSecondsMax,
            isStopped: { isStoppable && StopSignal.isRequested })
        let output = LabAnswer(String(decoding: answer.output, as: UTF8.self))
        if answer.end == .stop { throw Interrupted("interrupted") }
        if let refusal = output.refusal { throw Failure(description: refusal) }
        if output.hasEnd(name) { return output }
        throw Failure(description: Self.reason(answer, host: host, silentSecondsMax: silentSecondsMax))
    }

    private static func reason(_ answer: PipedProcess.Answer, host: LabHost, silentSecondsMax: Int) -> String {
        let errors = String(decoding: answer.errors, as: UTF8.self)
        switch answer.end {
        case .exit(.code(255)): return LabWords.sshFailure(errors, host: host.name)
        case .exit(.code(let code)):
            let said = errors.split(whereSeparator: \.isNewline).last.map { ": \($0)" } ?? ""
            return "the shell there ended with \(code)\(said)"
        case .exit(.signal(let number)): return "ssh was ended by signal \(number)"
        case .silence: return "it let us in and then said nothing for \(silentSecondsMax) s"
        case .stop: return "interrupted"
        }
    }
}
