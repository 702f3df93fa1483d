/// How a voxel is stored in a file.
public enum VoxelType: String, Hashable, Sendable, Codable, CaseIterable {
    case uint8, int8, uint16, int16, uint32, int32, uint64, int64, float32, float64

    public var byteCount: Int {
        switch self {
        case .uint8, .int8: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        }
    }
}

/// Stored values to Hounsfield units: value * slope + intercept.
struct VoxelScaling: Hashable, Sendable {
    var slope = 1.0
    var intercept = 0.0

    var isIdentity: Bool { slope == 1 && intercept == 0 }
}

/// Converts stored voxels to Float.
struct VoxelDecoder {
    var type: VoxelType
    /// The file's byte order is not this machine's.
    var swapsBytes: Bool
    var scaling: VoxelScaling

    /// - Returns: how many values came out as infinity or NaN.
    func decode(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>) -> Int {
        precondition(source.count == target.count * type.byteCount)
        switch type {
        case .uint8: return integers(source, target, UInt8.self)
        case .int8: return integers(source, target, Int8.self)
        case .uint16: return integers(source, target, UInt16.self)
        case .int16: return integers(source, target, Int16.self)
        case .uint32: return integers(source, target, UInt32.self)
        case .int32: return integers(source, target, Int32.self)
        case .uint64: return integers(source, target, UInt64.self)
        case .int64: return integers(source, target, Int64.self)
        case .float32:
            if scaling.isIdentity && !swapsBytes { return singles(source, target) }
            return floats(source, target, UInt32.self) { Double(Float(bitPattern: $0)) }
        case .float64: return floats(source, target, UInt64.self) { Double(bitPattern: $0) }
        }
    }

    @inline(__always)
    private func integers<Stored: FixedWidthInteger>(
        _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableBufferPointer<Float>, _: Stored.Type
    ) -> Int {
        let stored = source.baseAddress!
        let size = MemoryLayout<Stored>.size
        if scaling.isIdentity && !swapsBytes {
            for index in 0 ..< target.count {
                target[index] = Float(stored.loadUnaligned(fromByteOffset: index * size, as: Stored.self))
            }
            return 0
        }
        var badCount = 0
        for index in 0 ..< target.count {
            let word = stored.loadUnaligned(fromByteOffset: index * size, as: Stored.self)
            let value = Float(Double(swapsBytes ? word.byteSwapped : word) * scaling.slope + scaling.intercept)
            target[index] = value
            badCount += value.isFinite ? 0 : 1
        }
        return badCount
    }

    /// As they are; but for -0, which becomes 0 as by any scaling.
    private func singles(_ source: UnsafeRawBufferPointer, _ target: UnsafeMutableBufferPointer<Float>) -> Int {
        let stored = source.baseAddress!
        var badCount: UInt32 = 0
        for index in 0 ..< target.count {
            let value = stored.loadUnaligned(fromByteOffset: index * 4, as: Float.self)
            target[index] = value + 0
            badCount &+= value.bitPattern & 0x7f80_0000 == 0x7f80_0000 ? 1 : 0
        }
        return Int(badCount)
    }

    @inline(__always)
    private func floats<Word: FixedWidthInteger>(
        _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableBufferPointer<Float>, _: Word.Type,
        _ number: (Word) -> Double
    ) -> Int {
        let stored = source.baseAddress!
        var badCount = 0
        for index in 0 ..< target.count {
            let word = stored.loadUnaligned(fromByteOffset: index * MemoryLayout<Word>.size, as: Word.self)
            let value = Float(number(swapsBytes ? word.byteSwapped : word) * scaling.slope + scaling.intercept)
            target[index] = value
            badCount += value.isFinite ? 0 : 1
        }
        return badCount
    }
}
