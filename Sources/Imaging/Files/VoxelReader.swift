/// Reads a file's voxels behind a checked header. Memory grows with the bytes that really come, so a file that ends
/// early or inflates beyond its claim costs little.
enum VoxelReader {
    /// - Parameters:
    ///   - storedFrom: where the stored bytes begin in the input, which may stand anywhere and does so afterwards.
    ///   - bytesBefore: where the voxels begin among them, once inflated.
    /// - Throws: when the file cannot hold what its header claims; nothing has been allocated by then.
    static func checkClaim(
        _ input: ByteInput, storedFrom: Int, storedByteCount: Int, isCompressed: Bool, bytesBefore: Int,
        voxelByteCount: Int
    ) throws(ImageFileError) {
        let claim = bytesBefore + voxelByteCount
        if !isCompressed {
            guard storedByteCount >= claim else {
                throw .damaged(
                    input.name, "its header claims \(claim) bytes but it has \(storedByteCount): it is cut short")
            }
            return
        }
        guard claim / ImageLimits.deflateRatioMax <= storedByteCount else {
            throw .damaged(
                input.name, "its header claims \(claim) bytes, which \(storedByteCount) compressed bytes cannot hold")
        }
        guard voxelByteCount > ImageLimits.unquestionedByteCount else { return }
        try checkRatio(input.name, storedByteCount, voxelByteCount)
        if voxelByteCount / ImageLimits.trustedRatioMax > storedByteCount {
            let compressed = try compressedByteCount(input, from: storedFrom, inflatedByteCountMax: claim)
            try checkRatio(input.name, compressed, voxelByteCount)
        }
    }

    private static func checkRatio(
        _ name: String, _ storedByteCount: Int, _ voxelByteCount: Int
    ) throws(ImageFileError) {
        guard voxelByteCount / ImageLimits.bulkRatioMax > storedByteCount else { return }
        throw ImageFileError(
            name, .limit,
            "\(storedByteCount) bytes that inflate to \(voxelByteCount) are a compression bomb or an empty image",
            remedy: "if it is meant, store it uncompressed or with one byte a voxel")
    }

    /// How many of the bytes from there on are compressed data; what may follow them is not counted. Inflates them
    /// once, into nothing.
    private static func compressedByteCount(
        _ input: ByteInput, from start: Int, inflatedByteCountMax: Int
    ) throws(ImageFileError) -> Int {
        let before = input.offset
        defer { input.seek(to: before) }
        input.seek(to: start)
        let stream = ByteStream(inflated: input)
        _ = try stream.skip(inflatedByteCountMax)
        return stream.consumedByteCount
    }

    /// Reads `shape.voxelCount` voxels from the stream's current position and looks at what follows them.
    static func read(
        _ stream: ByteStream, shape: VolumeShape, decoder: VoxelDecoder
    ) throws(ImageFileError) -> [Float] {
        var failure: ImageFileError?
        let voxels = [Float](count: shape.voxelCount) { voxels in
            // Left as they are after a failure, of which nobody sees them.
            let target = UnsafeMutableBufferPointer(start: voxels, count: shape.voxelCount)
            do throws(ImageFileError) {
                try fill(target, from: stream, decoder: decoder, shape: shape)
            } catch { failure = error }
        }
        if let failure { throw failure }
        try checkEnd(stream)
        return voxels
    }

    /// Behind the voxels nothing may follow but a block's padding: a header that claims less than there is would give
    /// a part of the image without a word. The end of a compressed stream also has its checksum.
    static func checkEnd(_ stream: ByteStream) throws(ImageFileError) {
        let limit = ImageLimits.trailingByteCountMax
        let isTooLong = stream.isInflated ? try stream.skip(limit + 1) > limit : stream.input.remainingByteCount > limit
        guard isTooLong else { return }
        throw .damaged(
            stream.name, "it \(stream.isInflated ? "inflates to" : "holds") far more bytes than its header says")
    }

    private static func fill(
        _ target: UnsafeMutableBufferPointer<Float>, from stream: ByteStream, decoder: VoxelDecoder, shape: VolumeShape
    ) throws(ImageFileError) {
        let size = decoder.type.byteCount
        let total = shape.voxelCount, pieceVoxelCount = min(total, ImageLimits.pieceByteCount / size)
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceVoxelCount * size, alignment: 16)
        defer { piece.deallocate() }
        var (done, badCount) = (0, 0)
        while done < total {
            let count = min(pieceVoxelCount, total - done)
            let bytes = UnsafeMutableRawBufferPointer(rebasing: piece[..<(count * size)])
            let got = try stream.fill(bytes)
            guard got == bytes.count else {
                throw .damaged(
                    stream.name, "it ends after \(done + got / size) of \(total) voxels: it is cut short")
            }
            let part = UnsafeMutableBufferPointer(rebasing: target[done ..< done + count])
            badCount += decoder.decode(UnsafeRawBufferPointer(bytes), into: part)
            done += count
        }
        guard badCount == 0 else {
            throw ImageFileError(
                stream.name, .unsupported, "\(badCount) of its \(total) voxels are infinite or not a number",
                remedy: "replace them, by -1024 HU outside the field of view")
        }
    }
}

/// A size from a file's header, checked against the limits, overflow included.
func checkedShape(x: Int, y: Int, z: Int, name: String) throws(ImageFileError) -> VolumeShape {
    for (axis, count) in [("x", x), ("y", y), ("z", z)] where count < 1 || count > ImageLimits.axisVoxelCountMax {
        throw ImageFileError(
            name, count < 1 ? .damaged : .limit, "its header claims \(count) voxels along \(axis)",
            remedy: "a volume has 1 to \(ImageLimits.axisVoxelCountMax) along each axis: get or export it again")
    }
    let (plane, overflowsPlane) = x.multipliedReportingOverflow(by: y)
    let (total, overflows) = plane.multipliedReportingOverflow(by: z)
    guard !overflowsPlane, !overflows, total <= ImageLimits.voxelCountMax else {
        throw ImageFileError(
            name, .limit, "its header claims \(x) x \(y) x \(z) voxels",
            remedy: "at most \(ImageLimits.voxelCountMax) are read: crop it or reduce its resolution")
    }
    return VolumeShape(depth: z, height: y, width: x)
}
