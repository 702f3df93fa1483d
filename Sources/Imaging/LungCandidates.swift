import Numerics

/// Tells the lungs from other air inside of the volume: bowel and stomach, the foam of the table, pockets of noise.
struct LungCandidates {
    let lung: BitVolume

    /// A piece of lung has at least this share of the largest piece.
    private static let leastShare = 0.05
    /// Nearly all of a gas bubble is darker than this, of a lung not (nor of one with emphysema).
    private static let gasHU: Float = -950
    private static let gasShareMax = 0.85
    /// At least this share of what surrounds a lung is body.
    private static let bodyShareMin = 0.5

    /// - Parameters:
    ///   - air: air inside, without the airways.
    ///   - padding: what was not scanned: neither body nor anything else.
    init(_ air: BitVolume, volume: Volume<Float>, padding: BitVolume?, pool: ThreadPool) {
        let components = air.components(.faces, pool: pool)
        let gas = BitVolume(volume, below: Self.gasHU, pool: pool)
        let sizes = components.voxelCounts()
        let gasSizes = gas.words.withUnsafeBufferPointer { components.voxelCounts(within: $0) }
        let body = Self.body(volume, padding, pool: pool)
        var keep = [Bool](repeating: false, count: components.count + 1)
        var largest = 0
        for index in sizes.indices.sorted(by: { (sizes[$0], $1) > (sizes[$1], $0) }) {
            if Double(sizes[index]) < max(1, Self.leastShare * Double(largest)) { break }
            if Double(gasSizes[index]) > Self.gasShareMax * Double(sizes[index]) { continue }
            if Double(sizes[index]) * volume.geometry.boxSpacing.voxelML < 5 { break }
            guard Self.isSurrounded(index + 1, of: components, by: body, volume, padding, pool) else { continue }
            largest = max(largest, sizes[index])
            keep[index + 1] = true
        }
        lung = BitVolume(shape: air.shape, words: components.bits(keeping: keep, pool: pool))
    }

    /// Tissue: the largest piece after an opening has cut off table and clothes.
    private static func body(_ volume: Volume<Float>, _ padding: BitVolume?, pool: ThreadPool) -> BitVolume {
        let tissue = BitVolume(volume, below: -250, pool: pool).complement().without(padding)
        let spacing = volume.geometry.boxSpacing
        let opened = tissue.eroded(by: StructuringElement(ballRadiusMM: 2.5, spacing: spacing), pool: pool)
        let components = opened.components(.faces, pool: pool)
        let sizes = components.voxelCounts()
        var keep = [Bool](repeating: false, count: components.count + 1)
        if let largest = sizes.indices.max(by: { (sizes[$0], $1) < (sizes[$1], $0) }) { keep[largest + 1] = true }
        let body = BitVolume(shape: tissue.shape, words: components.bits(keeping: keep, pool: pool))
        // A little wider than it was, to meet the lungs' surfaces.
        return body.dilated(by: StructuringElement(ballRadiusMM: 4, spacing: spacing), pool: pool)
    }

    private static func isSurrounded(
        _ label: Int, of components: RunComponents, by body: BitVolume, _ volume: Volume<Float>,
        _ padding: BitVolume?, _ pool: ThreadPool
    ) -> Bool {
        var keep = [Bool](repeating: false, count: components.count + 1)
        keep[label] = true
        let piece = BitVolume(shape: volume.shape, words: components.bits(keeping: keep, pool: pool))
        let near = StructuringElement(ballRadiusMM: 1.5, spacing: volume.geometry.boxSpacing)
        let shell = piece.dilated(by: near, pool: pool).combined(with: piece) { $0 & ~$1 }.without(padding)
        let bodyCount = shell.combined(with: body) { $0 & $1 }.voxelCount
        return Double(bodyCount) >= bodyShareMin * Double(shell.voxelCount)
    }
}
