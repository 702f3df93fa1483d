import Foundation
import Imaging

/// Input files that are read whole.
enum InputFile {
    /// What a file of this role may have at most: a blob may have a tebibyte.
    private static func byteCountMax(_ role: String) -> Int {
        switch role {
        case "dataset": 256 << 20
        // 200 million weights of 8 bytes.
        case "replica": 2 << 30
        case "checkpoint", "state": 4 << 30
        // A bit a voxel.
        case "voted", "votes": ImageLimits.voxelCountMax / 8 + (1 << 20)
        default: 64 << 20
        }
    }

    static func bytes(_ input: RecipeInput) throws -> [UInt8] {
        let most = byteCountMax(input.role)
        guard let file = FileHandle(forReadingAtPath: input.path), let end = try? file.seekToEnd() else {
            throw RecipeError.inputRefused("\(input.name) can't be read; give it again")
        }
        defer { try? file.close() }
        guard end <= UInt64(most) else {
            throw RecipeError.inputRefused("\(input.name) has \(end) bytes, and what is a \(input.role) has at most "
                + "\(most); give the file that quintet has written")
        }
        guard (try? file.seek(toOffset: 0)) != nil, let data = try? file.read(upToCount: most) else {
            throw RecipeError.inputRefused("\(input.name) can't be read; give it again")
        }
        return [UInt8](data)
    }

    static func text(_ input: RecipeInput) throws -> String { String(decoding: try bytes(input), as: UTF8.self) }
}
