import Recipes

/// The machines of a lab as a plain text: one a line, settings behind the name, comments behind #.
///
///     lab3  workers=2 threads=8 nice=10 hours=20-7 idle-only cache=/scratch/quintet
package enum HostsFile {
    package static let hostsMax = 1000

    /// - Throws: `UsageError` with the file's name and the line's number.
    package static func hosts(_ text: String, file: String) throws -> [LabHost] {
        var hosts: [LabHost] = [], lines: [String: Int] = [:]
        // "\r\n" is one character in Swift, and a line's end.
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }.map(String.init)
            guard !words.isEmpty else { continue }
            do {
                let host = try host(words)
                if let before = lines[host.machine] { throw UsageError("\(host.machine) is in line \(before) already") }
                lines[host.machine] = index + 1
                hosts.append(host)
                guard hosts.count <= hostsMax else { throw UsageError("a lab has at most \(hostsMax) machines") }
            } catch {
                throw UsageError("\(file):\(index + 1): \(error)")
            }
        }
        guard !hosts.isEmpty else { throw UsageError("\(file) names no host; write one a line") }
        return hosts
    }

    private static func host(_ words: [String]) throws -> LabHost {
        try check(name: words[0])
        var host = LabHost(name: words[0]), seen: Set<String> = []
        for word in words.dropFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard seen.insert(parts[0]).inserted else { throw UsageError("\(parts[0]) is given twice") }
            try set(parts[0], parts.count == 2 ? parts[1] : nil, of: &host)
        }
        return host
    }

    /// It becomes a word of ssh's command line, where one with a dash in front would be an option.
    private static func check(name: String) throws {
        let parts = name.split(separator: "@", omittingEmptySubsequences: false)
        let isName = parts.count <= 2 && name.utf8.count <= 100 && parts.allSatisfy { part in
            guard let first = part.unicodeScalars.first, isWordScalar(first), first != "-", first != "." else {
                return false
            }
            return part.unicodeScalars.allSatisfy(isWordScalar)
        }
        guard !isName else { return }
        let hint = name.contains(":")
            ? "; ports and addresses of IPv6 belong into ~/.ssh/config, under a name, or into --ssh 'ssh -p 2222'" : ""
        throw UsageError("\"\(name)\" is no host's name: letters, digits, '.', '-' and '_', a user and '@' before it"
            + hint)
    }

    private static func isWordScalar(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", ".", "-", "_": true
        default: false
        }
    }

    private static func set(_ key: String, _ value: String?, of host: inout LabHost) throws {
        switch key {
        case "workers": host.workerCount = try number(key, value, 1...64)
        case "threads": host.threadCount = try number(key, value, 1...1024)
        case "nice": host.niceness = try number(key, value, 0...19)
        case "idle-only":
            guard value == nil else { throw UsageError("idle-only takes no value") }
            host.isIdleOnly = true
        case "hours":
            // `worker` knows what it means; here it need only be a harmless word.
            guard let value, !value.isEmpty, value.utf8.count <= 100, value.unicodeScalars.allSatisfy({
                isWordScalar($0) || $0 == ":" || $0 == "," || $0 == "+"
            }), !value.hasPrefix("-") else { throw UsageError("hours takes a time of day, as in hours=20-7") }
            host.hours = value
        case "cache":
            let isControl = { (scalar: Unicode.Scalar) in scalar.properties.generalCategory == .control }
            guard let value, value.hasPrefix("/") || value.hasPrefix("~/"), value.utf8.count <= 1000,
                !value.unicodeScalars.contains(where: isControl)
            else { throw UsageError("cache takes a folder's whole path, as in cache=/scratch/quintet") }
            host.cache = value
        default:
            let known = ["workers", "threads", "nice", "hours", "idle-only", "cache"]
            throw UsageError("there is no setting \"\(key)\"" + Spelling.suggestion(for: key, among: known)
                + "; there are \(known.joined(separator: ", "))")
        }
    }

    private static func number(_ key: String, _ value: String?, _ range: ClosedRange<Int>) throws -> Int {
        guard let value, value.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(value),
            range.contains(number)
        else {
            throw UsageError("\(key) takes a whole number from \(range.lowerBound) to \(range.upperBound), "
                + "as in \(key)=\(range.lowerBound)")
        }
        return number
    }
}
