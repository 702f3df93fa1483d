import Numerics

/// Trachea and main bronchi, which hang together with the lungs below any threshold for lung. Found on a grid of some
/// 2 mm, where noise is averaged away: the air in them is darker than lung.
struct Airways {
    /// Airways with their walls, down to bronchi of some 6 mm; what is cut out before the lungs are told apart.
    let walled: BitVolume
    /// Trachea and main bronchi; what stays outside of the lungs after closing.
    let central: BitVolume

    private static let spacingMM = 2.0
    /// From lenient to strict: the first one under which a component looks like a trachea is taken; a lenient one
    /// leaks into the lungs.
    private static let thresholdsHU: [Float] = [-880, -900, -920, -935, -950, -965, -980]

    private static let wallHU: Float = -500
    private static let wallShareMin = 0.4

    /// - Parameter insideAir: air without what is outside of the body, on the volume's grid.
    init(_ volume: Volume<Float>, insideAir: BitVolume, pool: ThreadPool) {
        let source = volume.geometry.boxSpacing
        let coarse = Spacing(
            zMM: max(source.zMM, Self.spacingMM), yMM: max(source.yMM, Self.spacingMM),
            xMM: max(source.xMM, Self.spacingMM))
        let mapping = GridMapping(sourceShape: volume.shape, sourceSpacing: source, to: coarse)
        let average = mapping.linear(volume, pool: pool)
        let inside = BitVolume(
            mapping.nearest(insideAir.mask(geometry: volume.geometry, pool: pool), pool: pool), pool: pool)
        let narrow = StructuringElement(ballRadiusMM: 2.9, spacing: coarse)
        let wide = StructuringElement(ballRadiusMM: 4.1, spacing: coarse)
        let wall = StructuringElement(ballRadiusMM: 2.1, spacing: source)
        let lungBox = inside.boundingBox(pool: pool) ?? inside.shape.box
        let tissue = BitVolume(average, below: Self.wallHU, pool: pool).complement()
        var tree: BitVolume?
        for threshold in Self.thresholdsHU where tree == nil {
            let dark = BitVolume(average, below: threshold, pool: pool).combined(with: inside) { $0 & $1 }
            tree = Self.trachea(in: dark.opened(by: narrow, pool: pool), walls: tissue, coarse, lungBox, pool)
        }
        guard let tree else {
            let none = BitVolume(shape: volume.shape, words: [UInt64](repeating: 0, count: insideAir.words.count))
            (walled, central) = (none, none)
            return
        }
        func fine(_ bits: BitVolume) -> BitVolume {
            let mask = mapping.reversed.nearest(bits.mask(geometry: average.geometry, pool: pool), pool: pool)
            return BitVolume(mask, pool: pool).dilated(by: wall, pool: pool)
        }
        walled = fine(tree)
        central = fine(tree.opened(by: wide, pool: pool))
    }

    /// The component that looks like a trachea with its main bronchi; nil when there is none, or when it has leaked
    /// into a lung.
    private static func trachea(
        in dark: BitVolume, walls: BitVolume, _ spacing: Spacing, _ lungBox: VoxelBox, _ pool: ThreadPool
    ) -> BitVolume? {
        let components = dark.components(.faces, pool: pool)
        var best: (tree: BitVolume, millilitres: Double)?
        for (index, (count, box)) in zip(components.voxelCounts(), components.boundingBoxes()).enumerated() {
            let millilitres = Double(count) * spacing.voxelML
            let lengthMM = Double(box.z.count) * spacing.zMM
            let sectionMM2 = millilitres * 1000 / lengthMM
            let middle = Double(box.x.lowerBound + box.x.upperBound) / 2
            let offset = (middle - Double(lungBox.x.lowerBound)) / Double(max(1, lungBox.x.count))
            let top = Double(box.z.upperBound - lungBox.z.lowerBound) / Double(max(1, lungBox.z.count))
            guard lengthMM >= min(40, 0.7 * Double(dark.shape.depth) * spacing.zMM),
                (40...1200).contains(sectionMM2), millilitres <= 150, (0.3...0.7).contains(offset), top > 0.6,
                Double(box.x.count) * spacing.xMM <= 150
            else { continue }
            if let best, best.millilitres >= millilitres { continue }
            var keep = [Bool](repeating: false, count: components.count + 1)
            keep[index + 1] = true
            let tree = BitVolume(shape: dark.shape, words: components.bits(keeping: keep, pool: pool))
            if wallShare(of: tree, walls: walls, spacing, pool) >= wallShareMin { best = (tree, millilitres) }
        }
        return best?.tree
    }

    /// Share of tissue in the layer from 2 to 4 mm around a tree. A dark part of a lung has lung around it.
    private static func wallShare(
        of tree: BitVolume, walls: BitVolume, _ spacing: Spacing, _ pool: ThreadPool
    ) -> Double {
        func grown(_ radiusMM: Double) -> BitVolume {
            tree.dilated(by: StructuringElement(ballRadiusMM: radiusMM, spacing: spacing), pool: pool)
        }
        let layer = grown(4.1).combined(with: grown(2.1)) { $0 & ~$1 }
        let shared = layer.combined(with: walls) { $0 & $1 }.voxelCount
        return Double(shared) / Double(max(1, layer.voxelCount))
    }
}
