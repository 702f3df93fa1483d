import Foundation
import Imaging
import Numerics

/// Keeps the volumes prepared last, packed: between a volume's predict and its finish, which are often done by the same
/// worker, lies the predict of the next one or two. The next one may be prepared ahead, by another thread.
final class PreparedCache: @unchecked Sendable {
    // Unchecked: what changes is only touched under `lock`.
    private let lock = NSCondition()
    /// The one used last is last.
    private var kept: [(key: String, volume: PackedVolume)] = []
    /// What another thread prepares ahead, and what is prepared where it is needed.
    private var keyAhead, keyBeingMade: String?
    /// What the volume took that was asked for last: it may be computed with.
    private var byteCountInUse: UInt64 = 0
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
        let wanted = try Wanted(configuration, inputs)
        if let packed = try take(wanted.key, isLastUse: isLastUse, resources) {
            return noted(packed.unpacked(pool: resources.pool))
        }
        // `take` has said that it is being made.
        defer { say(isMaking: nil) }
        let volume = noted(try wanted.prepare(resources))
        if !isLastUse, let packed = PackedVolume(volume, pool: resources.pool) { keep(packed, as: wanted.key) }
        return volume
    }

    /// The same for later, where there is memory for it beside the volume that is computed with. By one thread at a
    /// time.
    func prepareAhead(
        _ configuration: LungRunConfiguration, _ inputs: [RecipeInput], memoryByteCount: UInt64,
        _ resources: RecipeResources
    ) throws {
        let wanted = try Wanted(configuration, inputs)
        let needed = LungAnswers.memoryByteCount(
            try Preparation.refusing { try ImageFile.shape(path: wanted.ct.path, name: wanted.ct.name) })
        lock.lock()
        let isWorthIt = (memoryByteCount == 0 || needed + byteCountInUse <= memoryByteCount)
            && !kept.contains { $0.key == wanted.key } && keyBeingMade != wanted.key && byteCountMax > 0
        keyAhead = isWorthIt ? wanted.key : nil
        lock.unlock()
        guard isWorthIt else { return }
        defer {
            lock.lock()
            keyAhead = nil
            lock.broadcast()
            lock.unlock()
        }
        let volume = try wanted.prepare(resources)
        if let packed = PackedVolume(volume, pool: resources.pool) { keep(packed, as: wanted.key) }
    }

    private func say(isMaking key: String?) {
        lock.lock()
        keyBeingMade = key
        lock.unlock()
    }

    private func noted(_ volume: PreparedVolume) -> PreparedVolume {
        lock.lock()
        byteCountInUse = LungAnswers.memoryByteCount(volume.source.shape)
        lock.unlock()
        return volume
    }

    /// From memory; waits for what is prepared ahead just now. nil: the caller makes it.
    private func take(_ key: String, isLastUse: Bool, _ resources: RecipeResources) throws -> PackedVolume? {
        lock.lock()
        defer { lock.unlock() }
        while keyAhead == key {
            if resources.isCancelled() { throw RecipeError.interrupted }
            _ = lock.wait(until: Date(timeIntervalSinceNow: 0.05))
        }
        guard let index = kept.firstIndex(where: { $0.key == key }) else {
            keyBeingMade = key
            return nil
        }
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
        byteCountInUse = 0
        lock.unlock()
    }
}

/// The volume that a piece of work is about.
private struct Wanted {
    let ct: RecipeInput
    private let lung: RecipeInput?
    private let configuration: LungRunConfiguration

    /// - Throws: `RecipeError.inputRefused`.
    init(_ configuration: LungRunConfiguration, _ inputs: [RecipeInput]) throws {
        guard let ct = inputs.first(where: { $0.role == "ct" }) else {
            throw RecipeError.inputRefused("the piece of work names no CT")
        }
        (self.ct, self.configuration) = (ct, configuration)
        lung = inputs.first { $0.role == "lung" }
    }

    /// Paths of inputs name their content's digest.
    var key: String {
        [
            ct.path, ct.name, lung?.path ?? "", lung?.name ?? "", JSONText.encode(configuration.preset),
            JSONText.encode(configuration.reading), "\(configuration.planeHeight)x\(configuration.planeWidth)",
        ].joined(separator: "|")
    }

    func prepare(_ resources: RecipeResources) throws -> PreparedVolume {
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
        return volume
    }
}
