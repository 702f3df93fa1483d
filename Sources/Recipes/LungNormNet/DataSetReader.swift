import Foundation
import Imaging

/// Reads slabs of a prepared data set. Holds the volumes last used decoded, as bytes fit for memory: 2 bytes for H
/// and 1 for M a voxel. Used by the thread that makes samples.
final class DataSetReader: @unchecked Sendable {
    // Unchecked: `cache` is only touched under `lock`.
    struct Decoded {
        /// H * 60000, see `PreparedVolume.intensitySteps`.
        var image: [UInt16]
        var lung: [UInt8]
    }

    let manifest: DataSetManifest
    private let imagePaths: [String]
    private let lungPaths: [String]
    private let cacheByteCountMax: Int
    private let lock = NSLock()
    private var cache: [Int: Decoded] = [:]
    /// Least recently used first.
    private var order: [Int] = []

    /// - Parameter inputs: roles "dataset" (dataset.json), "image" and "lung" (named as in the manifest).
    init(inputs: [RecipeInput], cacheByteCountMax: Int = 2 << 30) throws {
        guard let description = inputs.first(where: { $0.role == "dataset" }) else {
            throw RecipeError.inputRefused("the run has no \(DataSetManifest.fileName) among its inputs")
        }
        let text = try InputFile.text(description)
        let manifest = try JSONText.decode(DataSetManifest.self, text, what: description.name)
        try manifest.validate()
        self.manifest = manifest
        func paths(_ role: String, _ name: (DataSetManifest.Entry) -> String) throws -> [String] {
            let byName = Dictionary(
                inputs.filter { $0.role == role }.map { ($0.name, $0.path) }, uniquingKeysWith: { first, _ in first })
            return try manifest.volumes.map { entry in
                guard let path = byName[name(entry)] else {
                    throw RecipeError.inputRefused("the data set's \(name(entry)) is missing from the run's inputs")
                }
                return path
            }
        }
        imagePaths = try paths("image", \.imageName)
        lungPaths = try paths("lung", \.lungName)
        self.cacheByteCountMax = cacheByteCountMax
    }

    /// H in [0, 1] and M of a slab, each slabDepth x planeHeight x planeWidth; reused for the next slab.
    struct SlabMemory {
        var intensity: [Float] = []
        var lung: [UInt8] = []
    }

    func read(_ slab: SlabIndex.Slab, depth: Int, into memory: inout SlabMemory) throws {
        let volume = try decoded(slab.volume)
        let plane = manifest.planeHeight * manifest.planeWidth
        let range = (slab.firstSlice * plane)..<((slab.firstSlice + depth) * plane)
        memory.intensity.removeAll(keepingCapacity: true)
        memory.intensity.append(contentsOf: volume.image[range].lazy.map(PreparedVolume.intensity))
        memory.lung.removeAll(keepingCapacity: true)
        memory.lung.append(contentsOf: volume.lung[range])
    }

    private func decoded(_ number: Int) throws -> Decoded {
        lock.lock()
        defer { lock.unlock() }
        if let hit = cache[number] {
            order.removeAll { $0 == number }
            order.append(number)
            return hit
        }
        let entry = manifest.volumes[number]
        let shape = VolumeShape(depth: entry.depth, height: manifest.planeHeight, width: manifest.planeWidth)
        let decoded = try PreparedVolume.decode(
            imagePath: imagePaths[number], lungPath: lungPaths[number], name: entry.name, shape: shape)
        cache[number] = decoded
        order.append(number)
        while order.count > 1, cache.values.reduce(0, { $0 + 3 * $1.lung.count }) > cacheByteCountMax {
            cache[order.removeFirst()] = nil
        }
        return decoded
    }
}
