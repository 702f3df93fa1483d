import Coordinator
import Foundation
import Numerics
import Platform
import Recipes

/// The machines that a command is about, and what it needs to talk with them.
struct Lab: Sendable {
    var hosts: [LabHost]
    var shell: SecureShell
    var isDryRun: Bool
    var isQuiet: Bool

    init(_ arguments: Arguments) throws {
        guard arguments.positional.count == 2 else {
            throw UsageError("say what to do and with whom: quintet lab start HOSTS")
        }
        let file = arguments.positional[1]
        let text = try FileSystem.readText(file, byteCountMax: 1 << 20)
        let all = try HostsFile.hosts(text, file: file), wanted = arguments.all("--only")
        for name in wanted where !all.contains(where: { $0.name == name || $0.machine == name }) {
            throw UsageError("--only \(name): \(file) has no such host"
                + Spelling.suggestion(for: name, among: all.map(\.machine)))
        }
        hosts = wanted.isEmpty ? all : all.filter { wanted.contains($0.name) || wanted.contains($0.machine) }
        shell = SecureShell(command: try Shell.words(arguments.text("--ssh") ?? "ssh"))
        isDryRun = arguments.has("--dry-run")
        isQuiet = arguments.has("--quiet")
    }

    /// The program that goes there is this one: it says itself what its workers understand.
    /// - Throws: `UsageError`.
    func checkWorkerOptions() throws {
        let known = Set(WorkerCommand.syntax.options.map(\.name))
        for host in hosts {
            for option in host.workerOptions(1) where option.hasPrefix("--") && !known.contains(option) {
                throw UsageError("\(host.machine) has the setting \(option.dropFirst(2)), "
                    + "and workers of this version have no option \(option)")
            }
        }
    }

    /// A line of progress.
    func say(_ host: LabHost, _ text: String) {
        if !isQuiet { Console.error("\(host.machine): \(text.printable(most: 500))") }
    }

    /// Looks, and changes nothing.
    func probe(_ host: LabHost, version: String, digest: String? = nil, isStoppable: Bool = true) throws -> LabProbe {
        let answer = try shell.run(
            LabScripts.probe(version: version, digest: digest), name: "probe", on: host, silentSecondsMax: 30,
            isStoppable: isStoppable)
        guard let probe = LabProbe(answer) else {
            throw SecureShell.Failure(description: "what it says of itself cannot be read")
        }
        return probe
    }

    /// Each machine's outcome, in turns; what is thrown is that machine's refusal, and said at once.
    func each(_ body: @escaping @Sendable (LabHost) throws -> String) -> [LabOutcome] {
        let outcomes = LabCrew.map(hosts) { host in outcome(host) { try body(host) } }
        return zip(hosts, outcomes).map { host, outcome in
            outcome ?? LabOutcome(host: host.machine, outcome: .untouched, message: "interrupted before its turn")
        }
    }

    func outcome(_ host: LabHost, _ body: () throws -> String) -> LabOutcome {
        do {
            let text = try body()
            say(host, text)
            return LabOutcome(host: host.machine, outcome: .done, message: text)
        } catch let error as Interrupted {
            return LabOutcome(host: host.machine, outcome: .untouched, message: error.description)
        } catch {
            let reason = "\(error)".printable(most: 1000)
            Console.error("\(host.machine): refused: \(reason)")
            return LabOutcome(host: host.machine, outcome: .refused, message: reason)
        }
    }

    /// One line for scripts and for people behind the progress.
    func finish(_ outcomes: [LabOutcome], _ arguments: Arguments, code: ExitCode? = nil) throws -> ExitCode {
        if arguments.has("--json") {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            Console.out(String(decoding: try encoder.encode(["hosts": outcomes]), as: UTF8.self))
        } else {
            let parts: [(LabOutcome.Kind, String)] = [
                (.done, "done"), (.refused, "refused"), (.untouched, "not touched"),
            ]
            Console.out(parts.compactMap { (kind, text) -> String? in
                let names = outcomes.filter { $0.outcome == kind }.map(\.host)
                return names.isEmpty ? nil : "\(text): \(names.joined(separator: " "))"
            }.joined(separator: "\n"))
        }
        if StopSignal.isRequested { throw Interrupted("interrupted; the same command goes on where it stopped") }
        return code ?? LabOutcome.exitCode(outcomes)
    }
}

/// What workers are started with: this very program, a token, a coordinator.
struct LabSupply: Sendable {
    var program: String
    var programByteCount: UInt64
    var digest: String
    var token: [UInt8]
    var settings: LabSettings

    init(_ arguments: Arguments) throws {
        let addresses = try ClusterOptions.addresses(arguments.required("--coordinator"))
        let all = [addresses.first] + addresses.standbys
        let file = try arguments.required("--token-file")
        // Also where a newer one has taken its name since.
        program = "/proc/self/exe"
        programByteCount = try FileSystem.byteCount(of: program)
        digest = Hexadecimal.text(try SHA256.digest(ofFile: program))
        let identity = try ClusterToken.load(file: file).identity
        token = try FileSystem.read(file, byteCountMax: 1024)
        settings = LabSettings(
            coordinator: all.map(\.description).joined(separator: ","), tokenIdentity: identity,
            version: LabSettings.version(build: Version.build, digest: digest))
        if let address = all.first(where: { (try? $0.isLoopback()) == true }) {
            Console.error("warning: every machine takes \(address) for itself; say --coordinator with a name that they "
                + "all reach")
        }
    }

    static var architecture: String {
        #if arch(x86_64)
            "x86_64"
        #elseif arch(arm64)
            "aarch64"
        #else
            "unknown"
        #endif
    }

    func fingerprint(_ host: LabHost) -> String {
        SHA256.hexadecimal(of: Array(settings.description(of: host).utf8))
    }

    var size: String { "\((programByteCount + 500_000) / 1_000_000) MB" }
}
