import Numerics

/// Tells the air around the body (and the padding outside of the scanner's field of view) from air inside.
enum OutsideAir {
    /// A component is outside when it lies against the volume's sides broadly: its contact with the four side faces,
    /// over the face of a cube of its volume. A lung in a volume cropped to it touches a side with a small cap (below
    /// 0.3); the air around a body lies along whole faces (above 1). The end faces in z do not count: there lungs are
    /// cut off.
    static let contactRatioMax = 0.6

    /// The air without its outside components.
    /// - Parameter padding: what was not scanned. Where it begins, the volume ends.
    static func removed(
        from air: BitVolume, padding: BitVolume?, spacing: Spacing, pool: ThreadPool
    ) -> BitVolume {
        let components = air.components(.faces, pool: pool)
        let contactsX = contacts(components, air.shape, padding, acrossX: true)
        let contactsY = contacts(components, air.shape, padding, acrossX: false)
        var keep = [false]
        for (index, count) in components.voxelCounts().enumerated() {
            let contactMM2 = Double(contactsX[index]) * spacing.zMM * spacing.yMM
                + Double(contactsY[index]) * spacing.zMM * spacing.xMM
            keep.append(contactMM2 < contactRatioMax * twoThirdsPower(Double(count) * spacing.voxelML * 1000))
        }
        return BitVolume(shape: air.shape, words: components.bits(keeping: keep, pool: pool))
    }

    /// The air without its outside components, once what is narrower than a trachea has been shut: lungs hang together
    /// with the air around a body where a scan goes up to the mouth.
    static func removedBehindNecks(
        from air: BitVolume, padding: BitVolume?, spacing: Spacing, pool: ThreadPool
    ) -> BitVolume {
        let ball = StructuringElement(ballRadiusMM: neckRadiusMM, spacing: spacing)
        // An erosion for which air goes on beyond the volume.
        let wide = air.complement().dilated(by: ball, pool: pool).complement()
        let outside = wide.without(removed(from: wide, padding: padding, spacing: spacing, pool: pool))
        let shut = outside.dilated(by: ball, pool: pool)
        // What lies along it broadly is outside too.
        let beyond = padding.map { $0.combined(with: shut) { $0 | $1 } } ?? shut
        return removed(from: air.without(shut), padding: beyond, spacing: spacing, pool: pool)
    }

    /// Millilitres of air outside that look like lung: neither dark as air nor bright as a surface, over a centimetre.
    static func lungLikeML(_ volume: Volume<Float>, outside: BitVolume, pool: ThreadPool) -> Double {
        let source = volume.geometry.boxSpacing, coarse = Spacing(
            zMM: max(source.zMM, coarseMM), yMM: max(source.yMM, coarseMM), xMM: max(source.xMM, coarseMM))
        let mapping = GridMapping(sourceShape: volume.shape, sourceSpacing: source, to: coarse)
        let average = mapping.linear(volume, pool: pool)
        let open = BitVolume(
            mapping.nearest(outside.mask(geometry: volume.geometry, pool: pool), pool: pool), pool: pool)
        let lungLike = BitVolume(average, below: lungHU.upperBound, pool: pool)
            .without(BitVolume(average, below: lungHU.lowerBound, pool: pool)).combined(with: open) { $0 & $1 }
        let opened = lungLike.opened(by: StructuringElement(ballRadiusMM: 6, spacing: coarse), pool: pool)
        return Double(opened.voxelCount) * coarse.voxelML
    }

    private static let neckRadiusMM = 12.0
    private static let coarseMM = 3.0
    /// The foam of a table is darker, some -930 HU.
    private static let lungHU: Range<Float> = -915..<(-500)

    /// Voxels that each component has on the two faces across x, or across y.
    private static func contacts(
        _ components: RunComponents, _ shape: VolumeShape, _ padding: BitVolume?, acrossX: Bool
    ) -> [Int] {
        var faces = [UInt64](repeating: 0, count: shape.bitWordCount)
        let all = BitVolume(shape: shape, words: faces).complement().words
        for row in 0..<shape.rowCount {
            let first = row * shape.wordsPerRow
            if acrossX {
                faces[first] |= 1
                faces[first + (shape.width - 1) / 64] |= 1 << UInt64((shape.width - 1) % 64)
            } else if row % shape.height == 0 || row % shape.height == shape.height - 1 {
                for index in first..<first + shape.wordsPerRow { faces[index] = all[index] }
            }
        }
        if let padding {
            // Steps of padding that slants over an end belong to that end.
            let beside = padding.dilated(
                by: StructuringElement(box: BoxSize(z: 1, y: acrossX ? 1 : 3, x: acrossX ? 3 : 1)), pool: nil)
            let above = padding.dilated(by: StructuringElement(box: BoxSize(z: 3, y: 1, x: 1)), pool: nil)
            for index in faces.indices { faces[index] |= beside.words[index] & ~above.words[index] }
        }
        return faces.withUnsafeBufferPointer { components.voxelCounts(within: $0) }
    }

    /// The face of a cube of this volume: x^(2/3) with exactly rounded operations only.
    private static func twoThirdsPower(_ x: Double) -> Double {
        let root = Portable.exp(Portable.log(max(x, 1e-9)) / 3)
        return root * root
    }
}
