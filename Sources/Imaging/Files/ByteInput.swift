/// Bytes from a file or from memory, read in sequence and never all at once.
final class ByteInput {
    /// The owner's name, for messages.
    let name: String
    let byteCount: Int
    private(set) var offset = 0
    private let descriptor: Int32?
    private let bytes: [UInt8]

    init(path: String, name: String) throws(ImageFileError) {
        let file = try LocalFile.open(path, name: name)
        (self.name, self.byteCount, self.descriptor, self.bytes) = (name, file.byteCount, file.descriptor, [])
    }

    init(bytes: [UInt8], name: String) {
        (self.name, self.byteCount, self.descriptor, self.bytes) = (name, bytes.count, nil, bytes)
    }

    deinit { if let descriptor { LocalFile.close(descriptor) } }

    var remainingByteCount: Int { byteCount - offset }

    /// The next byte to read; at most `byteCount`.
    func seek(to position: Int) {
        precondition(position >= 0 && position <= byteCount)
        offset = position
    }

    /// At most `buffer.count` bytes; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImageFileError) -> Int {
        guard buffer.count > 0, remainingByteCount > 0 else { return 0 }
        let wanted = min(buffer.count, remainingByteCount)
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
        var count = wanted
        if let descriptor {
            count = try LocalFile.read(descriptor, at: offset, into: piece, name: name)
        } else {
            let range = offset ..< offset + wanted
            bytes.withUnsafeBytes { piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range])) }
        }
        offset += count
        return count
    }

    /// The first bytes, without moving on.
    func peek(_ count: Int) throws(ImageFileError) -> [UInt8] {
        let before = offset
        let stream = ByteStream(self)
        let first = try stream.read(count)
        offset = before
        return first
    }
}

/// A `ByteInput` as it is, or inflated on the way.
final class ByteStream {
    let input: ByteInput
    private let inflater: Inflater?

    init(_ input: ByteInput) {
        self.input = input
        self.inflater = nil
    }

    /// - Parameter inflated: the input is a gzip or zlib stream from its current offset on.
    init(inflated input: ByteInput) {
        self.input = input
        self.inflater = Inflater(input)
    }

    var name: String { input.name }
    var isInflated: Bool { inflater != nil }
    /// Bytes of the input that have been used; without those that were only read ahead.
    var consumedByteCount: Int { inflater?.consumedByteCount ?? input.offset }

    /// Fills the buffer as far as there are bytes; returns how many came.
    func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(ImageFileError) -> Int {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = if let inflater { try inflater.read(into: rest) } else { try input.read(into: rest) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// At most `count` bytes; fewer at the end. Memory comes only for what is there.
    func read(_ count: Int) throws(ImageFileError) -> [UInt8] {
        var result: [UInt8] = []
        _ = try inPieces(count) { result += $0 }
        return result
    }

    /// Leaves out `count` bytes; returns how many there were.
    func skip(_ count: Int) throws(ImageFileError) -> Int {
        try inPieces(count) { _ in }
    }

    private func inPieces(_ count: Int, _ take: (UnsafeRawBufferPointer) -> Void) throws(ImageFileError) -> Int {
        let size = min(count, ImageLimits.pieceByteCount)
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: max(size, 1), alignment: 16)
        defer { piece.deallocate() }
        var done = 0
        while done < count {
            let wanted = min(size, count - done)
            let got = try fill(UnsafeMutableRawBufferPointer(rebasing: piece[..<wanted]))
            take(UnsafeRawBufferPointer(rebasing: piece[..<got]))
            done += got
            if got < wanted { break }
        }
        return done
    }
}
