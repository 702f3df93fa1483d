import Numerics
import Testing

/// Text from files and peers in messages, on terminals and in tables.
@Suite struct PrintableTextTests {
    @Test func whatATerminalWouldObeyIsEscaped() {
        #expect("Größe 日本語 😀 e\u{301}".printable() == "Größe 日本語 😀 e\u{301}")
        #expect("\u{1B}[2J\u{0}\n\u{7F}".printable() == "\\u001b[2J\\u0000\\u000a\\u007f")
        // A control character of one byte in other codes, the direction of writing, ends of lines, invisible tags.
        #expect("\u{9B}31m\u{202E}\u{2028}\u{E0041}".printable() == "\\u009b31m\\u202e\\u2028\\udb40\\udc41")
        #expect("a\tb\nc\u{1B}d\r".printableLines() == "a\tb\nc\\u001bd\\u000d")
    }

    @Test func aMessageIsAsLongAsItMayBe() {
        #expect("abcdef".printable(most: 3) == "abc...")
        #expect("abc".printable(most: 3) == "abc")
        // One character of a million scalars.
        #expect(("e" + String(repeating: "\u{301}", count: 1_000_000)).printable().unicodeScalars.count == 203)
    }
}
