import Foundation
import Numerics
import Platform

/// What people see: progress on stderr, results on stdout, so that a script can read the one without the other. Names
/// of files and words of peers are in it: this is the one door to the terminal, and no control character goes through.
package enum Console {
    /// What kept the first result from being written.
    private static let outputFailure = Guarded<FileError?>(nil)

    static func out(_ text: String) { writeOutput(text.printableLines() + "\n") }

    static func error(_ text: String) { LogStream.write(text.printableLines() + "\n") }

    /// On a terminal over the page before. Of all that is written only these two sequences, home and clear, are obeyed.
    static func show(page text: String) { writeOutput(page(text, isTerminal: Terminal.isTerminal())) }

    package static func page(_ text: String, isTerminal: Bool) -> String {
        (isTerminal ? "\u{1B}[H\u{1B}[2J" : "") + text.printableLines() + "\n"
    }

    /// The work goes on without its results being read, and ends with 1; see `exitCode`. When the reader has left, the
    /// process ends as others do.
    private static func writeOutput(_ text: String) {
        do throws(FileError) {
            try StandardStream.output.write(text)
        } catch {
            if error.code == EPIPE { StopSignal.endByBrokenPipe() }
            outputFailure.withLock { $0 = $0 ?? error }
        }
    }

    /// At the program's end, after the last word: results that nobody can have are a failure.
    static func exitCode(_ code: ExitCode) -> ExitCode {
        var failure = outputFailure.withLock { $0 }
        do throws(FileError) {
            try StandardStream.output.close()
        } catch {
            failure = failure ?? error
        }
        guard let failure else { return code }
        Console.error("quintet: not all results could be written to standard output: \(failure.reason)")
        return code == .done || code == .doneWithRefusals ? .failed : code
    }

    /// "3 min 20 s", "1 h 05 min", "12 s".
    package static func duration(seconds: Double) -> String {
        // A figure from a peer may be any number; a hundred years are none.
        guard (0..<3e9).contains(seconds) else { return "unknown" }
        let whole = Int(seconds.rounded(.up))
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return String(format: "%d min %02d s", whole / 60, whole % 60) }
        return String(format: "%d h %02d min", whole / 3600, whole % 3600 / 60)
    }
}

/// One line of progress: rewritten in place on a terminal, a plain line now and then when piped.
final class ProgressLine: @unchecked Sendable {
    // Unchecked: the state below is only touched under `lock`.
    private let lock = NSLock()
    private let isTerminal = Terminal.isTerminal(STDERR_FILENO)
    private let quiet: Bool
    private let plainSeconds: Double
    private var lastLength = 0
    private var lastText = ""
    private var lastPlainMilliseconds: UInt64?

    init(quiet: Bool = false, plainSeconds: Double = 10) {
        self.quiet = quiet
        self.plainSeconds = plainSeconds
    }

    func show(_ shown: String) {
        let text = shown.printable(most: 400)
        lock.lock()
        defer { lock.unlock() }
        guard !quiet, text != lastText else { return }
        if isTerminal {
            let padding = String(repeating: " ", count: max(0, lastLength - text.count))
            LogStream.write("\r" + text + padding)
            lastLength = text.count
            lastText = text
        } else {
            let now = MonotonicClock.nowMilliseconds()
            if let last = lastPlainMilliseconds, Double(now - last) < plainSeconds * 1000 { return }
            lastPlainMilliseconds = now
            lastText = text
            Console.error(text)
        }
    }

    /// What coordinator and worker say while a command runs; only what goes wrong matters then.
    /// The audit's lines about runs and works, and about connections of this very machine, are left out: the command
    /// that waits for them says it better.
    var log: Log {
        Log { [self] level, text in
            let isAudit = text.hasPrefix("work ") || text.hasPrefix("run ") || text.contains("turned away: ")
            if level == .problem, !isAudit { warn(text) }
        }
    }

    /// Ends the line and says something that stays.
    func say(_ text: String) { if !quiet { warn(text) } }

    /// The same of what goes wrong, which is said to those as well who want no progress.
    func warn(_ text: String) {
        lock.lock()
        defer { lock.unlock() }
        if isTerminal, lastLength > 0 {
            LogStream.write("\r" + String(repeating: " ", count: lastLength) + "\r")
            lastLength = 0
        }
        lastText = ""
        Console.error(text)
    }
}

/// Time left from the share done, the way people expect it: from the pace so far.
struct Pace {
    private let startMilliseconds = MonotonicClock.nowMilliseconds()
    private let startFraction: Double

    /// - Parameter fraction: what was already done when the watch began (a continued run).
    init(fraction: Double = 0) { startFraction = fraction }

    var elapsedSeconds: Double { Double(MonotonicClock.nowMilliseconds() - startMilliseconds) / 1000 }

    /// nil as long as nothing can be said.
    func secondsLeft(fraction: Double) -> Double? {
        let gained = fraction - startFraction
        guard gained > 0.002, elapsedSeconds > 1 else { return nil }
        return elapsedSeconds * (1 - fraction) / gained
    }
}
