import Foundation
import Imaging
import Numerics

/// Keeps the volumes prepared last, packed: between a volume's predict and its finish, which are often done by the same
/// worker, lies the predict of the next one or two.
final class PreparedCache: @unchecked Sendable {
    // Unchecked: `kept` is only touched under `lock`.
    private let lock = NSLock()
    /// The one used last is last.
    private var kept: [(key: String, volume: PackedVolume)] = []
    private let byteCountMax: Int

    /// All that are kept have at most so many bytes: three to ten of the paper's volumes.
    static let byteCountMax = 512 << 20

    init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

    /// From memory where it is kept, else from its files.
    /// - Parameter isLastUse: nobody will ask for it again soon.
    func volume(
        _ configuration: LungRunConfiguration, _ inputs: [RecipeInput], isLastUse: Bool = false,
        _ resources: RecipeResources
    ) throws -> PreparedVolume {
        guard let ct = inputs.first(where: { $0.role == "ct" }) else {
            throw RecipeError.inputRefused("the piece of work names no CT")
        }
        let lung = inputs.first { $0.role == "lung" }
        // Paths of inputs name their content's digest.
        let key = [
            ct.path, ct.name, lung?.path ?? "", lung?.name ?? "", JSONText.encode(configuration.preset),
            JSONText.encode(configuration.reading), "\(configuration.planeHeight)x\(configuration.planeWidth)",
        ].joined(separator: "|")
        if let packed = take(key, isLastUse: isLastUse) { return packed.unpacked(pool: resources.pool) }
        let start = resources.nowNanoseconds()
        var readNanoseconds: UInt64 = 0
        let volume = try Preparation.refusing {
            let files = try ImageFile.read(
                singles: ([ct] + (lung.map { [$0] } ?? [])).map { ($0.path, $0.name) }, pool: resources.pool)
            readNanoseconds = resources.nowNanoseconds() - start
            return try Preparation.run(
                ct: files[0], lung: lung == nil ? nil : files[1],
                reading: configuration.reading, preset: configuration.preset,
                planeHeight: configuration.planeHeight, planeWidth: configuration.planeWidth, forTraining: false,
                pool: resources.pool, isCancelled: resources.isCancelled)
        }
        let milliseconds = (resources.nowNanoseconds() - start) / 1_000_000
        resources.log("\(volume.source.name): prepared in \(milliseconds) ms, of it "
            + "\(readNanoseconds / 1_000_000) ms reading")
        if !isLastUse, let packed = PackedVolume(volume, pool: resources.pool) { keep(packed, as: key) }
        return volume
    }

    private func take(_ key: String, isLastUse: Bool) -> PackedVolume? {
        lock.lock()
        defer { lock.unlock() }
        guard let index = kept.firstIndex(where: { $0.key == key }) else { return nil }
        let found = kept.remove(at: index)
        if !isLastUse { kept.append(found) }
        return found.volume
    }

    private func keep(_ volume: PackedVolume, as key: String) {
        lock.lock()
        defer { lock.unlock() }
        kept.removeAll { $0.key == key }
        kept.append((key, volume))
        var byteCount = kept.reduce(0) { $0 + $1.volume.byteCount }
        while byteCount > byteCountMax { byteCount -= kept.removeFirst().volume.byteCount }
    }

    /// A training needs the memory.
    func empty() {
        lock.lock()
        kept = []
        lock.unlock()
    }
}
