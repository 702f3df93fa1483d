import Protocol
import Testing

@Suite struct TextLimitTests {
    @Test func aTextIsCutBetweenScalars() {
        #expect("abcdef".cut(toBytes: 6) == "abcdef")
        #expect("abcdefg".cut(toBytes: 6) == "abc...")
        for (text, limit) in [("äöüß", 7), ("日本語日本語", 11), ("😀😀😀", 8), ("e\u{301}e\u{301}e\u{301}", 6), ("abcd", 3)] {
            let cut = text.cut(toBytes: limit)
            #expect(cut.utf8.count <= limit && cut.utf8.count > limit - 4 && cut.hasSuffix("..."), "\(cut)")
            #expect(text.unicodeScalars.starts(with: cut.dropLast(3).unicodeScalars))
        }
    }

    @Test func aReasonWithControlCharactersIsToldWithoutThem() throws {
        let reason = "replica-0: \u{1B}[2J\u{0}\n\u{7F}\u{9B}31m is no network".cut(toBytes: Limits.messageBytesMax)
        #expect(reason.hasPrefix("replica-0: ") && reason.hasSuffix("is no network"))
        _ = try MessageCoding.encode(.surrender(Samples.lease, .failed, reason), requestID: 1)
    }

    /// One character of ten million scalars, and as many characters: none may take longer than its beginning.
    @Test func aLongTextIsCutInTimeForItsBeginning() {
        let mark = String(repeating: "\u{301}", count: 10_000_000), plain = String(repeating: "x", count: 20_000_000)
        for text in ["e" + mark, plain, String(repeating: "e\u{301}\r\n", count: 4_000_000)] {
            // The shortest: a machine stands still once, and not at each of three moments.
            let took = (0..<3).map { _ in
                ContinuousClock().measure { #expect(text.cut(toBytes: 1024).utf8.count <= 1024) }
            }
            #expect(took.min()! < .seconds(2))
        }
    }
}
