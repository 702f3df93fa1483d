import Numerics

/// Tells the two lungs apart, which often hang together where only a thin sheet of tissue parts them.
enum LungSides {
    private static let spacingMM = 2.0
    /// Each lung has at least this share of the two.
    private static let leastShare = 0.2

    /// - Returns: two lungs, or the one piece that cannot be parted; their union is `lung`.
    static func split(_ lung: BitVolume, geometry: Geometry, pool: ThreadPool) -> [BitVolume] {
        let source = geometry.boxSpacing
        let coarse = Spacing(
            zMM: max(source.zMM, spacingMM), yMM: max(source.yMM, spacingMM), xMM: max(source.xMM, spacingMM))
        let mapping = GridMapping(sourceShape: lung.shape, sourceSpacing: source, to: coarse)
        let mask = mapping.nearest(lung.mask(geometry: geometry, pool: pool), pool: pool)
        guard let (left, right) = cores(BitVolume(mask, pool: pool), coarse, pool) else { return [lung] }
        let toLeft = DistanceTransform.distanceMM(to: left.mask(geometry: mask.geometry, pool: pool), pool: pool)
        let toRight = DistanceTransform.distanceMM(to: right.mask(geometry: mask.geometry, pool: pool), pool: pool)
        let nearer = mask.with(zip(toLeft.voxels, toRight.voxels).map { $0 <= $1 ? UInt8(1) : 0 })
        let leftSide = BitVolume(mapping.reversed.nearest(nearer, pool: pool), pool: pool)
        return [lung.combined(with: leftSide) { $0 & $1 }, lung.combined(with: leftSide) { $0 & ~$1 }]
    }

    /// The two large pieces that appear under the mildest erosion.
    private static func cores(
        _ lung: BitVolume, _ spacing: Spacing, _ pool: ThreadPool
    ) -> (BitVolume, BitVolume)? {
        for radiusMM in [0, 2.1, 4.1, 6.1, 8.1] {
            let eroded = lung.eroded(by: StructuringElement(ballRadiusMM: radiusMM, spacing: spacing), pool: pool)
            let components = eroded.components(.faces, pool: pool)
            let sizes = components.voxelCounts()
            let order = sizes.indices.sorted { (sizes[$0], $1) > (sizes[$1], $0) }
            guard order.count >= 2, Double(sizes[order[1]]) >= leastShare * Double(sizes.reduce(0, +)) else { continue }
            let pieces = order.prefix(2).map { index in
                var keep = [Bool](repeating: false, count: components.count + 1)
                keep[index + 1] = true
                return BitVolume(shape: lung.shape, words: components.bits(keeping: keep, pool: pool))
            }
            return (pieces[0], pieces[1])
        }
        return nil
    }
}
