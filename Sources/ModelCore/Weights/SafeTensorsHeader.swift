import Numerics

/// A safetensors header, read strictly: the JSON that the format allows and nothing else. Names and strings of the file
/// stand in problems as `printable` has them, since problems travel to the coordinator and onto terminals.
struct SafeTensorsHeader {
    struct Problem: Error {
        var reason: String
    }
    struct Entry {
        var name: String
        var type: SafeTensors.ElementType
        var shape: [Int]
        /// Within the data.
        var bytes: Range<Int>
    }

    private(set) var entries: [Entry] = []
    private(set) var metadata: [String: String] = [:]

    init(bytes: ArraySlice<UInt8>, dataByteCount: Int) throws(Problem) {
        var reader = Reader(bytes: bytes)
        var names: Set<String> = []
        try reader.object { name, reader throws(Problem) in
            try Self.check(name)
            guard names.insert(name).inserted else {
                throw Problem(reason: "the name \"\(name.printable())\" occurs twice")
            }
            guard names.count <= SafeTensors.Limits.tensorsMax else {
                throw Problem(reason: "it names too many tensors")
            }
            if name == "__metadata__" {
                self.metadata = try Self.strings(&reader)
            } else {
                self.entries.append(try Self.entry(name, &reader))
            }
        }
        try reader.end()
        try checkLayout(dataByteCount: dataByteCount)
    }

    /// So that every later message may say the name of a tensor as it is.
    private static func check(_ name: String) throws(Problem) {
        guard name.utf8.count <= SafeTensors.Limits.nameBytesMax else {
            throw Problem(reason: "the name \"\(name.printable(most: 40))\" has \(name.utf8.count) bytes, more than "
                + "\(SafeTensors.Limits.nameBytesMax)")
        }
        guard name == name.printable(most: .max) else {
            throw Problem(reason: "the name \"\(name.printable())\" holds control characters")
        }
    }

    private static func strings(_ reader: inout Reader) throws(Problem) -> [String: String] {
        var result: [String: String] = [:]
        try reader.object { key, reader throws(Problem) in
            try Self.check(key)
            guard result.updateValue(try reader.string(), forKey: key) == nil else {
                throw Problem(reason: "the metadata key \"\(key.printable())\" occurs twice")
            }
        }
        return result
    }

    private static func entry(_ name: String, _ reader: inout Reader) throws(Problem) -> Entry {
        let shown = "\"\(name.printable())\""
        var type: SafeTensors.ElementType?
        var shape: [Int]?, offsets: [Int]?
        try reader.object { key, reader throws(Problem) in
            switch key {
            case "dtype" where type == nil:
                let text = try reader.string()
                type = SafeTensors.ElementType(rawValue: text)
                guard type != nil else {
                    throw Problem(reason: "\(shown) has the unknown number format \"\(text.printable(most: 40))\"")
                }
            case "shape" where shape == nil: shape = try reader.numbers(most: SafeTensors.Limits.dimensionsMax)
            case "data_offsets" where offsets == nil: offsets = try reader.numbers(most: 2)
            default:
                throw Problem(reason: "\(shown) has an unexpected or repeated field \"\(key.printable(most: 40))\"")
            }
        }
        guard let type, let shape, let offsets, offsets.count == 2 else {
            throw Problem(reason: "\(shown) lacks dtype, shape or its two data_offsets")
        }
        var size = type.byteCount
        for side in shape {
            let (product, overflow) = size.multipliedReportingOverflow(by: side)
            guard !overflow else { throw Problem(reason: "the shape of \(shown) is impossibly large") }
            size = product
        }
        guard offsets[0] <= offsets[1], offsets[1] - offsets[0] == size else {
            throw Problem(reason: "\(shown) takes \(size) bytes by its shape, but its data_offsets are \(offsets)")
        }
        return Entry(name: name, type: type, shape: shape, bytes: offsets[0]..<offsets[1])
    }

    // As the format demands: the tensors cover the data without overlap and without holes.
    private func checkLayout(dataByteCount: Int) throws(Problem) {
        var end = 0
        let order = entries.sorted {
            ($0.bytes.lowerBound, $0.bytes.upperBound) < ($1.bytes.lowerBound, $1.bytes.upperBound)
        }
        for entry in order {
            guard entry.bytes.lowerBound == end else {
                let what = entry.bytes.lowerBound < end ? "overlaps another tensor" : "leaves a hole before it"
                throw Problem(reason: "\"\(entry.name.printable())\" \(what)")
            }
            end = entry.bytes.upperBound
            guard end <= dataByteCount else {
                throw Problem(
                    reason: "\"\(entry.name.printable())\" ends at byte \(end) of \(dataByteCount): the file is cut "
                        + "off")
            }
        }
        guard end == dataByteCount else {
            throw Problem(reason: "\(dataByteCount - end) bytes behind the last tensor belong to none")
        }
    }
}

extension SafeTensorsHeader {
    /// A cursor over the header's JSON. Depth is fixed by the format, so nothing recurses.
    struct Reader {
        private let bytes: ArraySlice<UInt8>
        private var position: Int

        init(bytes: ArraySlice<UInt8>) {
            self.bytes = bytes
            position = bytes.startIndex
        }

        private var next: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

        private mutating func skipSpace() {
            while let byte = next, byte == 32 || (9...10).contains(byte) || byte == 13 { position += 1 }
        }

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            skipSpace()
            guard next == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }

        private mutating func expect(_ character: Unicode.Scalar) throws(Problem) {
            guard take(character) else {
                throw Problem(reason: "its header has no '\(character)' at byte \(position - bytes.startIndex)")
            }
        }

        mutating func end() throws(Problem) {
            skipSpace()
            guard next == nil else { throw Problem(reason: "its header goes on behind its end") }
        }

        mutating func object(_ member: (String, inout Reader) throws(Problem) -> Void) throws(Problem) {
            try expect("{")
            if take("}") { return }
            repeat {
                let key = try string()
                try expect(":")
                try member(key, &self)
            } while take(",")
            try expect("}")
        }

        mutating func numbers(most: Int) throws(Problem) -> [Int] {
            try expect("[")
            var result: [Int] = []
            if take("]") { return result }
            repeat {
                guard result.count < most else {
                    throw Problem(reason: "a list in its header has more than \(most) numbers")
                }
                result.append(try number())
            } while take(",")
            try expect("]")
            return result
        }

        private mutating func number() throws(Problem) -> Int {
            skipSpace()
            var value = 0, digits = 0
            while let byte = next, (48...57).contains(byte) {
                let (tens, first) = value.multipliedReportingOverflow(by: 10)
                let (sum, second) = tens.addingReportingOverflow(Int(byte) - 48)
                guard !first, !second else { throw Problem(reason: "a number in its header is too large") }
                value = sum
                digits += 1
                position += 1
            }
            guard digits > 0 else {
                throw Problem(reason: "its header has no whole number at byte \(position - bytes.startIndex)")
            }
            return value
        }

        mutating func string() throws(Problem) -> String {
            try expect("\"")
            var text: [UInt8] = []
            while let byte = next, byte != UInt8(ascii: "\"") {
                guard byte >= 0x20 else { throw Problem(reason: "a string in its header holds a control character") }
                position += 1
                if byte == UInt8(ascii: "\\") { text += try escape() } else { text.append(byte) }
            }
            try expect("\"")
            guard let result = String(validating: text, as: UTF8.self) else {
                throw Problem(reason: "a string in its header is not UTF-8")
            }
            return result
        }

        private mutating func escape() throws(Problem) -> [UInt8] {
            guard let byte = next else { throw Problem(reason: "its header ends within a string") }
            position += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
            case UInt8(ascii: "b"): return [8]
            case UInt8(ascii: "f"): return [12]
            case UInt8(ascii: "n"): return [10]
            case UInt8(ascii: "r"): return [13]
            case UInt8(ascii: "t"): return [9]
            case UInt8(ascii: "u"): return Array(String(try escapedScalar()).utf8)
            default: throw Problem(reason: "a string in its header has an unknown escape")
            }
        }

        private mutating func escapedScalar() throws(Problem) -> Character {
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code) {
                // Not by `take`: within a string a blank is a blank.
                for expected in "\\u".utf8 {
                    guard next == expected else {
                        throw Problem(reason: "a string in its header has half a character")
                    }
                    position += 1
                }
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else {
                    throw Problem(reason: "a string in its header has half a character")
                }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else {
                throw Problem(reason: "a string in its header has half a character")
            }
            return Character(scalar)
        }

        private mutating func hexadecimal() throws(Problem) -> UInt32 {
            var code: UInt32 = 0
            for _ in 0..<4 {
                guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                    throw Problem(reason: "a string in its header has an unsound \\u escape")
                }
                code = code << 4 | UInt32(digit)
                position += 1
            }
            return code
        }
    }
}
