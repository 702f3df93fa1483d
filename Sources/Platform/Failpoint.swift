import Glibc
import Synchronization

/// Places where a test, or QUINTET_FAILPOINTS in the environment, lets something go wrong.
///
///     QUINTET_FAILPOINTS=file.sync=eio@2,store.afterCommit=crash@3+
///
/// `@2` is the second time only, `@3+` the third and every later one, nothing is every time. What can happen: `crash`
/// (as if by SIGKILL), `leave` (a SIGTERM right there), `short` (a write that takes half), `eintr`, `eio`, `enospc`,
/// `eacces`, `emfile`, `enolck`. Where none is set a failpoint is one load of a flag.
public enum Failpoint {
    public enum Action: Hashable, Sendable {
        case crash
        /// Goes on after a SIGTERM to the process, and time enough for the process to have noticed.
        case leave
        case short
        /// A system call's errno.
        case fail(Int32)
    }

    public enum Effect: Hashable, Sendable { case none, short, fail(Int32) }

    private struct Rule {
        var name: String
        var action: Action
        /// Counted from 1; nil for every time.
        var hitNumber: Int?
        var isLasting: Bool
        var detailPart: String
        var hits = 0
    }

    private static let isArmed = Atomic<Bool>(getenv("QUINTET_FAILPOINTS") != nil)
    private static let rules = Guarded<[Rule]>(rulesFromEnvironment())

    /// - Parameters:
    ///   - hitNumber: which time, from 1; nil for every time.
    ///   - isLasting: every later time, too.
    ///   - detailPart: only where the detail (a path, say) contains this; "" for all.
    public static func set(
        _ name: String, _ action: Action, hitNumber: Int? = nil, isLasting: Bool = false, detailPart: String = ""
    ) {
        rules.withLock {
            $0.append(
                Rule(
                    name: name, action: action, hitNumber: hitNumber, isLasting: isLasting, detailPart: detailPart))
            isArmed.store(true, ordering: .releasing)
        }
    }

    public static func clear(_ name: String, detailPart: String = "") {
        rules.withLock {
            $0.removeAll { $0.name == name && $0.detailPart == detailPart }
            isArmed.store(!$0.isEmpty, ordering: .releasing)
        }
    }

    /// How often a place with a rule was passed; 0 without a rule.
    package static func hitCount(_ name: String, detailPart: String = "") -> Int {
        rules.withLock { $0.first { $0.name == name && $0.detailPart == detailPart }?.hits ?? 0 }
    }

    /// Passes the place `name`. Returns what shall happen there; does not return from a crash.
    @inline(__always)
    public static func hit(_ name: @autoclosure () -> String, detail: String = "") -> Effect {
        guard isArmed.load(ordering: .relaxed) else { return .none }
        return hitArmed(name(), detail)
    }

    private static func hitArmed(_ name: String, _ detail: String) -> Effect {
        let action = rules.withLock { rules -> Action? in
            for index in rules.indices where rules[index].name == name {
                guard rules[index].detailPart.isEmpty || detail.contains(rules[index].detailPart) else { continue }
                rules[index].hits += 1
                let (hits, rule) = (rules[index].hits, rules[index])
                let wanted = rule.hitNumber ?? hits
                if hits == wanted || rule.isLasting && hits > wanted { return rule.action }
            }
            return nil
        }
        switch action {
        case nil: return .none
        case .short: return .short
        case .fail(let code): return .fail(code)
        case .crash:
            kill(getpid(), SIGKILL)
            while true { pause() }
        case .leave:
            kill(getpid(), SIGTERM)
            MonotonicClock.sleep(milliseconds: 200)
            return .none
        }
    }

    private static func rulesFromEnvironment() -> [Rule] {
        guard let value = getenv("QUINTET_FAILPOINTS") else { return [] }
        return String(cString: value).split(separator: ",").map { text in
            guard let rule = rule(String(text)) else {
                let message = Array("quintet: QUINTET_FAILPOINTS: '\(text)' is not NAME=ACTION[@N[+]]\n".utf8)
                _ = write(STDERR_FILENO, message, message.count)
                exit(2)
            }
            return rule
        }
    }

    private static func rule(_ text: String) -> Rule? {
        let sides = text.split(separator: "=", omittingEmptySubsequences: false)
        guard sides.count == 2, !sides[0].isEmpty else { return nil }
        let parts = sides[1].split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count <= 2, let action = action(String(parts[0])) else { return nil }
        var rule = Rule(name: String(sides[0]), action: action, hitNumber: nil, isLasting: false, detailPart: "")
        if parts.count == 2 {
            rule.isLasting = parts[1].hasSuffix("+")
            guard let number = Int(rule.isLasting ? parts[1].dropLast() : parts[1]), number >= 1 else { return nil }
            rule.hitNumber = number
        }
        return rule
    }

    private static func action(_ name: String) -> Action? {
        switch name {
        case "crash": .crash
        case "leave": .leave
        case "short": .short
        case "eintr": .fail(EINTR)
        case "eio": .fail(EIO)
        case "enospc": .fail(ENOSPC)
        case "eacces": .fail(EACCES)
        case "emfile": .fail(EMFILE)
        case "enolck": .fail(ENOLCK)
        default: nil
        }
    }
}
