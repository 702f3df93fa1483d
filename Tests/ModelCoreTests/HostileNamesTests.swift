import ModelCore
import Testing

/// What a safetensors file calls its tensors and says of itself stands in errors, which travel and are printed: they
/// stay short and hold no control character.
@Suite struct HostileNamesTests {
    private static func file(_ header: String, data: Int = 0) -> [UInt8] {
        let text = Array(header.utf8), length = UInt64(text.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + text
            + [UInt8](repeating: 0, count: data)
    }

    private static func message(_ header: String, data: Int = 0) -> String {
        do {
            _ = try UNetModel(file: SafeTensors(bytes: file(header, data: data), name: "evil.safetensors"))
            return ""
        } catch {
            return "\(error)"
        }
    }

    private static func isPlain(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value) }
    }

    /// JSON's escapes, then characters that are controls without one.
    private static let escapes = ["\\u001b[2J", "\\u0000", "\\n", "\u{7F}", "\u{9B}31m", "\\u202e"]

    @Test func noControlCharacterOfAFileReachesItsError() {
        for escape in Self.escapes {
            for header in [
                "{\"a\(escape)\":{\"dtype\":\"X\(escape)\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"X\(escape)\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"x\(escape)\":1}}", "{\"a\(escape)\":{},\"a\(escape)\":{}}",
                "{\"__metadata__\":{\"k\(escape)\":\"\",\"k\(escape)\":\"\"}}",
                "{\"__metadata__\":{\"architecture\":\"\(escape)\"}}",
                "{\"__metadata__\":{\"architecture\":\"monai.UNet\",\"norm\":\"\(escape)\",\"act\":\"PRELU\"}}",
                "{\"__metadata__\":{\"architecture\":\"monai.UNet\",\"norm\":\"INSTANCE\",\"act\":\"PRELU\","
                    + "\"in_channels\":\"\(escape)\"}}",
            ] {
                let text = Self.message(header)
                #expect(text.contains("evil.safetensors") && Self.isPlain(text), "\(header): \(text.debugDescription)")
                #expect(!text.contains("\u{202E}"))
            }
        }
    }

    @Test func anErrorIsShortHoweverLongTheNamesAre() {
        // One character of a million scalars, and as many characters.
        for long in ["e" + String(repeating: "\u{301}", count: 1_000_000), String(repeating: "y", count: 2_000_000)] {
            for header in [
                "{\"\(long)\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"\(long)\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"\(long)\":1}}",
                "{\"__metadata__\":{\"\(long)\":\"\",\"\(long)\":\"\"}}",
                "{\"__metadata__\":{\"architecture\":\"\(long)\"}}",
            ] {
                let text = Self.message(header)
                #expect(text.contains("evil.safetensors") && text.utf8.count < 2_000, "\(text.prefix(200))")
            }
        }
    }

    @Test func aTensorsNameHasABound() throws {
        let entry = ":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}"
        for (count, isTaken) in [(1024, true), (1025, false)] {
            let header = "{\"" + String(repeating: "n", count: count) + "\"" + entry
            let read = try? SafeTensors(bytes: Self.file(header, data: 1), name: "a")
            #expect((read != nil) == isTaken, "\(count) bytes")
        }
    }
}
