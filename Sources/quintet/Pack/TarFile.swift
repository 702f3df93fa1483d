import Numerics

/// A plain tar (POSIX ustar) of files without folders, as `quintet pack` writes it and nearly every system opens it.
/// What is read is taken for hostile: nothing but regular files under plain names, each once, all of them there.
package enum TarFile {
    /// A file in the archive.
    package struct Entry: Equatable {
        package var name: String
        /// Where its bytes begin.
        package var offset: UInt64
        package var byteCount: UInt64
    }

    /// What is wrong with an archive, without its name.
    package struct Problem: Error, CustomStringConvertible {
        package var description: String
        init(_ description: String) { self.description = description }
    }

    static let blockByteCount = 512
    /// Twelve octal digits, the last of them a blank.
    static let byteCountMax: UInt64 = 1 << 33 - 1
    /// Beyond any run's: two networks for each of 255 replicas, and what describes them.
    static let entryCountMax = 1000

    private enum Field {
        static let name = 0..<100, mode = 100..<108, user = 108..<116, group = 116..<124, byteCount = 124..<136
        static let time = 136..<148, checksum = 148..<156, kind = 156, link = 157..<257, magic = 257..<265
        static let prefix = 345..<500
    }

    /// Letters, digits, dots, hyphens and underscores, a letter or digit first: no name leaves a folder, hides, or
    /// means anything to a shell.
    static func isPlain(_ name: String) -> Bool {
        func isLetter(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        guard let first = name.utf8.first, isLetter(first), name.utf8.count <= Field.name.count else { return false }
        return name.utf8.allSatisfy { isLetter($0) || "._-".utf8.contains($0) }
    }

    // MARK: Writing

    /// The block before a file's bytes: of nobody, from 1970, readable by all, so that equal files give equal archives.
    package static func header(name: String, byteCount: Int) -> [UInt8] {
        precondition(isPlain(name) && UInt64(byteCount) <= byteCountMax)
        var block = [UInt8](repeating: 0, count: blockByteCount)
        func set(_ field: Range<Int>, _ text: String) {
            block.replaceSubrange(field.lowerBound..<field.lowerBound + text.utf8.count, with: text.utf8)
        }
        func octal(_ field: Range<Int>, _ number: Int) {
            let digits = String(number, radix: 8), width = field.count - 1
            set(field, String(repeating: "0", count: width - digits.count) + digits)
        }
        set(Field.name, name)
        octal(Field.mode, 0o644)
        for field in [Field.user, Field.group, Field.time] { octal(field, 0) }
        octal(Field.byteCount, byteCount)
        block[Field.kind] = UInt8(ascii: "0")
        set(Field.magic, "ustar\u{0}00")
        octal(Field.checksum.lowerBound..<Field.checksum.upperBound - 1, checksum(block))
        block[Field.checksum.upperBound - 1] = UInt8(ascii: " ")
        return block
    }

    /// What fills a file's last block.
    package static func padding(byteCount: Int) -> [UInt8] {
        [UInt8](repeating: 0, count: (blockByteCount - byteCount % blockByteCount) % blockByteCount)
    }

    /// What an archive ends with.
    package static let end = [UInt8](repeating: 0, count: 2 * blockByteCount)

    /// Sum of the block's bytes, with blanks for the checksum itself.
    private static func checksum(_ block: [UInt8]) -> Int {
        block.indices.reduce(0) { $0 + (Field.checksum.contains($1) ? 0x20 : Int(block[$1])) }
    }

    // MARK: Reading

    /// - Parameters:
    ///   - byteCount: of the archive.
    ///   - read: so many bytes from a place on.
    /// - Throws: `Problem`, and what `read` throws.
    package static func entries(
        byteCount: UInt64, read: (_ offset: UInt64, _ count: Int) throws -> [UInt8]
    ) throws -> [Entry] {
        var entries: [Entry] = [], names: Set<String> = [], offset: UInt64 = 0
        while true {
            let block = try read(offset, blockByteCount)
            guard block.count == blockByteCount else { throw Problem("is cut short, or no pack") }
            offset += UInt64(blockByteCount)
            if block.allSatisfy({ $0 == 0 }) { break }
            var entry = try entry(block)
            guard names.insert(entry.name).inserted else { throw Problem("holds \(entry.name) twice") }
            guard entries.count < entryCountMax else { throw Problem("holds more than \(entryCountMax) files") }
            guard entry.byteCount <= byteCount - offset else {
                throw Problem("is cut short: \(entry.name) says that it has \(entry.byteCount) bytes")
            }
            entry.offset = offset
            entries.append(entry)
            offset += entry.byteCount + UInt64(padding(byteCount: Int(entry.byteCount)).count)
        }
        // What tar fills up a tape with; anything else there would be seen by nobody.
        guard offset <= byteCount, byteCount - offset <= 1 << 20,
            try read(offset, Int(byteCount - offset)).allSatisfy({ $0 == 0 })
        else { throw Problem("has something behind its end") }
        return entries
    }

    private static func entry(_ block: [UInt8]) throws -> Entry {
        guard Array(block[Field.magic]) == Array("ustar\u{0}00".utf8) else {
            throw Problem("is no tar as quintet pack writes it")
        }
        guard try octal(block[Field.checksum]) == UInt64(checksum(block)) else { throw Problem("is damaged") }
        let name = String(decoding: block[Field.name].prefix { $0 != 0 }, as: UTF8.self)
        guard isPlain(name), block[Field.prefix].allSatisfy({ $0 == 0 }) else {
            throw Problem("holds a file of the name \"\(name.printable(most: 100))\", which no pack has")
        }
        guard block[Field.kind] == UInt8(ascii: "0"), block[Field.link].allSatisfy({ $0 == 0 }) else {
            throw Problem("holds \(name) as something else than a file: a link, a folder or a device")
        }
        return Entry(name: name, offset: 0, byteCount: try octal(block[Field.byteCount]))
    }

    /// Octal digits, then blanks or zeros.
    private static func octal(_ field: ArraySlice<UInt8>) throws -> UInt64 {
        let digits = field.prefix { (0x30...0x37).contains($0) }
        guard !digits.isEmpty, digits.count < 12, field.dropFirst(digits.count).allSatisfy({ $0 == 0 || $0 == 0x20 })
        else { throw Problem("is damaged") }
        return digits.reduce(0) { $0 << 3 | UInt64($1 - 0x30) }
    }
}
