import Platform

/// Who has shown the token: browsers, by a random number in a cookie. Pure but for the random numbers; times are
/// milliseconds on a clock that never goes back.
package struct LiveSessions: Sendable {
    /// However busy its owner is.
    package static let lifeMilliseconds: UInt64 = 12 * 3_600_000
    /// The oldest makes room.
    package static let countMax = 64
    /// Wrong tokens before the next attempt has to wait, and how soon one of them is forgotten. 256 random bits are
    /// guessed by nobody; this keeps the log short.
    package static let wrongMax = 5
    package static let wrongMilliseconds: UInt64 = 10_000

    /// By the digest of the number, so that looking it up says nothing about it.
    private var beganMilliseconds: [[UInt8]: UInt64] = [:]
    private var wrongAt: [UInt64] = []

    package init() {}

    /// - Returns: 64 hexadecimal digits, which are kept nowhere here.
    package mutating func begin(at now: UInt64) -> String {
        trim(at: now)
        if beganMilliseconds.count >= Self.countMax, let oldest = beganMilliseconds.min(by: { $0.value < $1.value }) {
            beganMilliseconds[oldest.key] = nil
        }
        let number = Hexadecimal.text(SecureRandom.bytes(32))
        beganMilliseconds[Self.key(number)] = now
        return number
    }

    package func isOpen(_ number: String, at now: UInt64) -> Bool {
        guard number.utf8.count == 64, let began = beganMilliseconds[Self.key(number)] else { return false }
        return now < began + Self.lifeMilliseconds
    }

    package mutating func end(_ number: String) { beganMilliseconds[Self.key(number)] = nil }

    /// - Returns: how long to wait before the next attempt; nil where one may be made now.
    package mutating func waitMilliseconds(at now: UInt64) -> UInt64? {
        wrongAt.removeAll { $0 + Self.wrongMilliseconds <= now }
        return wrongAt.count < Self.wrongMax ? nil : wrongAt[0] + Self.wrongMilliseconds - now
    }

    package mutating func noteWrong(at now: UInt64) { wrongAt.append(now) }

    private mutating func trim(at now: UInt64) {
        beganMilliseconds = beganMilliseconds.filter { now < $0.value + Self.lifeMilliseconds }
    }

    private static func key(_ number: String) -> [UInt8] { SHA256.digest(of: Array(number.utf8)) }
}
