/// SHA-256 of a blob's bytes: its name everywhere.
public struct ContentDigest: Hashable, Sendable, CustomStringConvertible {
    /// 32 bytes.
    public let bytes: [UInt8]

    /// - Parameter bytes: exactly 32.
    public init(bytes: [UInt8]) {
        precondition(bytes.count == 32, "a SHA-256 digest has 32 bytes")
        self.bytes = bytes
    }

    /// From 64 hexadecimal digits, lower case; nil for anything else.
    public init?(hexadecimal: String) {
        let digits = Array(hexadecimal.utf8)
        guard digits.count == 64 else { return nil }
        func value(_ digit: UInt8) -> UInt8? {
            switch digit {
            case 48...57: return digit - 48
            case 97...102: return digit - 87
            default: return nil
            }
        }
        var bytes: [UInt8] = []
        for pair in stride(from: 0, to: 64, by: 2) {
            guard let high = value(digits[pair]), let low = value(digits[pair + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        self.bytes = bytes
    }

    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

/// A run's number, given by its coordinator; unique in one state folder.
public struct RunID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var value: UInt64
    public init(_ value: UInt64) { self.value = value }
    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
    public var description: String { "run \(value)" }
}

/// One piece of work: a step of a plan for one replica or item, or once for all.
public struct WorkID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var value: UInt64
    public init(_ value: UInt64) { self.value = value }
    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
    public var description: String { "work \(value)" }
}

/// The right to do one piece of work. Each new lease on the same work has a higher epoch; a result under an older
/// epoch is refused, so a worker that was thought dead can change nothing.
public struct Lease: Hashable, Sendable, CustomStringConvertible {
    public var work: WorkID
    public var epoch: UInt64

    public init(work: WorkID, epoch: UInt64) {
        self.work = work
        self.epoch = epoch
    }

    public var description: String { "\(work) epoch \(epoch)" }
}

/// A blob and what it is for.
public struct BlobReference: Hashable, Sendable {
    /// "volume", "replica", "votes", "mask", ...: the recipe's word.
    public var role: String
    /// The owner's name for it, for messages and output file names; never used as a path unchecked.
    public var name: String
    public var digest: ContentDigest
    public var byteCount: UInt64

    public init(role: String, name: String, digest: ContentDigest, byteCount: UInt64) {
        self.role = role
        self.name = name
        self.digest = digest
        self.byteCount = byteCount
    }
}
