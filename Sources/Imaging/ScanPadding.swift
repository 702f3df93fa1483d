import Numerics

/// What surrounds a scan in its volume without having been scanned: a border of 0, a slice of -1024, -3024 outside of
/// the scanner's circle, the corners that a rotation has filled. Measured voxels have noise and padding has none: it is
/// one value over whole planes at an end of the volume, or over a solid region that reaches a side. Whatever the value
/// is, it is neither air nor tissue, and the volume's border lies where it begins.
///
/// One value: within half a unit, since a second interpolation of floats leaves it not quite itself.
///
/// A window that a CT was clipped to leaves bodies of one value too, and 8 bits leave few values (`ValueCounts`): those
/// were scanned. In a drawn volume, without noise at all, nothing can be told by this, and all of it counts as scanned.
struct ScanPadding {
    /// What no lung can be in: filled with one value, three voxels thick.
    let solid: BitVolume
    /// That and what hangs on to it by its value, with a rim that is air where the padding looks like air and tissue
    /// where it looks like tissue: what is neither air nor body.
    let withRim: BitVolume

    /// More neighbours than this share are equal in no measured volume: 2% to 8% are.
    private static let equalShareMax = 0.5
    /// A value that fills less of the side faces is no padding.
    private static let sideShareMin = 0.002
    private static let valueCountMax = 4
    /// Padding that was interpolated along with the scan has a rim of values in between, this many voxels wide.
    private static let rimVoxels = 2
    private static let neutralHU: Float = -700

    /// The volume without the planes of one value at its ends, nor the rim of planes that interpolation has made of
    /// them and the scan.
    static func box(of volume: Volume<Float>, airHU: Float) -> VoxelBox {
        let whole = volume.shape.box
        var box = whole, before = whole
        repeat {
            before = box
            for axis in axes where !box.isEmpty { box[keyPath: axis] = scanned(volume, box, axis) }
        } while box != before && !box.isEmpty
        guard box != whole, !box.isEmpty, equalShare(volume, box, nil) <= equalShareMax else { return whole }
        for axis in axes {
            for isUpper in [false, true] {
                let end = isUpper ? box[keyPath: axis].upperBound : box[keyPath: axis].lowerBound - 1
                guard whole[keyPath: axis].contains(end) else { continue }
                let padding = plane(of: box, axis, at: end)
                let value = volume[padding.z.lowerBound, padding.y.lowerBound, padding.x.lowerBound]
                guard value >= airHU else { continue }
                for _ in 0..<rimVoxels where isRim(volume, box, axis, isUpper: isUpper, airHU: airHU) {
                    if isUpper { box[keyPath: axis].removeLast() } else { box[keyPath: axis].removeFirst() }
                }
            }
        }
        return box
    }

    private typealias Axis = WritableKeyPath<VoxelBox, Range<Int>> & Sendable
    private static let axes: [Axis] = [\.z, \.y, \.x]

    private static func plane(of box: VoxelBox, _ axis: Axis, at index: Int) -> VoxelBox {
        var plane = box
        plane[keyPath: axis] = index..<index + 1
        return plane
    }

    /// Without the planes of one value at both ends.
    private static func scanned(_ volume: Volume<Float>, _ box: VoxelBox, _ axis: Axis) -> Range<Int> {
        let range = box[keyPath: axis]
        func isScanned(_ index: Int) -> Bool {
            !volume.isOneValue(in: plane(of: box, axis, at: index))
        }
        guard let first = range.first(where: isScanned), let last = range.last(where: isScanned) else {
            return range.lowerBound..<range.lowerBound
        }
        return first..<last + 1
    }

    /// Does the outermost plane look like tissue where the next one is air? So it does not in a body.
    private static func isRim(
        _ volume: Volume<Float>, _ box: VoxelBox, _ axis: Axis, isUpper: Bool, airHU: Float
    ) -> Bool {
        let range = box[keyPath: axis]
        guard range.count > 2 else { return false }
        let (outer, inner) = isUpper
            ? (range.upperBound - 1, range.upperBound - 2) : (range.lowerBound, range.lowerBound + 1)
        var (air, covered) = (0, 0)
        for (a, b) in zip(
            volume.shape.rows(of: plane(of: box, axis, at: outer)),
            volume.shape.rows(of: plane(of: box, axis, at: inner))
        ) {
            for (value, next) in zip(volume.voxels[a], volume.voxels[b]) where next < airHU {
                air += 1
                covered += value >= airHU ? 1 : 0
            }
        }
        return 2 * covered > air
    }

    /// Share of neighbours along x that are equal, in some rows of the box; both of them outside of the padding.
    private static func equalShare(_ volume: Volume<Float>, _ box: VoxelBox, _ padding: BitVolume?) -> Double {
        var (pairs, equal) = (0, 0)
        for z in box.z {
            for y in box.y where (y + z) % 4 == 0 {
                let start = volume.shape.index(z: z, y: y, x: 0)
                let words = (z * volume.shape.height + y) * volume.shape.wordsPerRow
                func isPadding(_ x: Int) -> Bool {
                    padding.map { $0.words[words + x / 64] >> UInt64(x % 64) & 1 == 1 } ?? false
                }
                for x in box.x.dropFirst() where !isPadding(x) && !isPadding(x - 1) {
                    pairs += 1
                    equal += volume.voxels[start + x].rounded() == volume.voxels[start + x - 1].rounded() ? 1 : 0
                }
            }
        }
        return pairs > 0 ? Double(equal) / Double(pairs) : 0
    }

    // MARK: Inside of the box

    /// Solid regions of one value that reach a side of the volume; nil when there is none. The ends in z are no sides:
    /// there a clipped trachea may be of one value.
    /// - Parameter airHU: what is below is air.
    init?(_ volume: Volume<Float>, airHU: Float, pool: ThreadPool) {
        let shape = volume.shape, cube = StructuringElement(box: BoxSize(z: 3, y: 3, x: 3))
        let values = Self.sideValues(volume)
        guard !values.isEmpty else { return nil }
        let air = BitVolume(volume, below: airHU, pool: pool)
        var all: BitVolume?, solid: BitVolume?, rims: BitVolume?
        func join(_ sum: inout BitVolume?, _ part: BitVolume) {
            sum = sum?.combined(with: part) { $0 | $1 } ?? part
        }
        for value in values {
            let same = BitVolume(volume, below: value + 0.5, pool: pool)
                .without(BitVolume(volume, below: value - 0.5, pool: pool))
            let core = same.eroded(by: cube, pool: pool)
            let components = same.components(.faces, pool: pool)
            let hasCore = core.words.withUnsafeBufferPointer { components.touched(by: $0, pool: pool) }
            let atSide = Self.sides(of: shape).words.withUnsafeBufferPointer { components.touched(by: $0, pool: pool) }
            let keep = zip(hasCore, atSide).map { $0 && $1 }
            guard keep.contains(true) else { continue }
            let region = BitVolume(shape: shape, words: components.bits(keeping: keep, pool: pool))
            join(&all, region)
            join(&solid, core.combined(with: region) { $0 & $1 }.dilated(by: cube, pool: pool))
            let width = 2 * Self.rimVoxels + 1
            let wide = region.dilated(by: StructuringElement(box: BoxSize(z: width, y: width, x: width)), pool: pool)
            join(&rims, value < airHU ? wide.combined(with: air) { $0 & $1 } : wide.without(air))
        }
        guard let all, let solid, let rims, Self.equalShare(volume, shape.box, all) <= Self.equalShareMax else {
            return nil
        }
        self.solid = solid
        withRim = all.combined(with: rims) { $0 | $1 }
    }

    /// On a coarser grid.
    func resampled(_ mapping: GridMapping, geometry: Geometry, pool: ThreadPool) -> ScanPadding {
        func nearest(_ bits: BitVolume) -> BitVolume {
            BitVolume(mapping.nearest(bits.mask(geometry: geometry, pool: pool), pool: pool), pool: pool)
        }
        return ScanPadding(solid: nearest(solid), withRim: nearest(withRim))
    }

    private init(solid: BitVolume, withRim: BitVolume) { (self.solid, self.withRim) = (solid, withRim) }

    /// Puts a value into the padding that is neither air nor tissue to whoever averages it with its neighbours.
    func fill(_ volume: inout Volume<Float>) {
        let shape = volume.shape
        for row in 0..<shape.rowCount {
            for (index, word) in withRim.words[row * shape.wordsPerRow ..< (row + 1) * shape.wordsPerRow].enumerated()
            where word != 0 {
                for bit in 0..<64 where word >> UInt64(bit) & 1 == 1 {
                    volume.voxels[row * shape.width + index * 64 + bit] = Self.neutralHU
                }
            }
        }
    }

    /// Values that fill a part of the side faces evenly: equal to their neighbours in the face and to the one inside.
    private static func sideValues(_ volume: Volume<Float>) -> [Float] {
        let shape = volume.shape
        guard shape.height > 2, shape.width > 2 else { return [] }
        var counts: [Float: Int] = [:]
        var total = 0
        func look(_ z: Int, _ y: Int, _ x: Int, inner: (y: Int, x: Int), along: (y: Int, x: Int)) {
            total += 1
            let value = volume[z, y, x].rounded()
            guard value == volume[z, inner.y, inner.x].rounded(), value == volume[z, along.y, along.x].rounded()
            else { return }
            counts[value, default: 0] += 1
        }
        for z in 0..<shape.depth {
            for x in 0..<shape.width - 1 {
                look(z, 0, x, inner: (1, x), along: (0, x + 1))
                look(z, shape.height - 1, x, inner: (shape.height - 2, x), along: (shape.height - 1, x + 1))
            }
            for y in 0..<shape.height - 1 {
                look(z, y, 0, inner: (y, 1), along: (y + 1, 0))
                look(z, y, shape.width - 1, inner: (y, shape.width - 2), along: (y + 1, shape.width - 1))
            }
        }
        let frequent = counts.filter { Double($0.value) >= max(32, sideShareMin * Double(total)) }
        guard !frequent.isEmpty else { return [] }
        let all = ValueCounts(volume)
        guard !all.areCoarse else { return [] }
        return frequent.filter { !all.isClipped(at: $0.key) }
            .sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(valueCountMax).map(\.key)
    }

    /// The faces across x and across y.
    private static func sides(of shape: VolumeShape) -> BitVolume {
        let all = BitVolume(shape: shape, words: [UInt64](zerosFor: shape, pool: nil)).complement()
        let inner = all.eroded(by: StructuringElement(box: BoxSize(z: 1, y: 3, x: 3)), pool: nil)
        return all.combined(with: inner) { $0 & ~$1 }
    }
}

extension Volume {
    /// The part in a box.
    func cut(_ box: VoxelBox) -> Volume {
        let shape = VolumeShape(depth: box.z.count, height: box.y.count, width: box.x.count)
        var part: [Element] = []
        part.reserveCapacity(shape.voxelCount)
        for z in box.z {
            for y in box.y {
                let start = self.shape.index(z: z, y: y, x: box.x.lowerBound)
                part += voxels[start ..< start + box.x.count]
            }
        }
        let corner = (Double(box.z.lowerBound), Double(box.y.lowerBound), Double(box.x.lowerBound))
        return Volume(shape: shape, geometry: geometry.stepped(origin: corner, step: (1, 1, 1)), voxels: part)
    }

    /// The way back: what the box holds is replaced.
    mutating func put(_ part: Volume, at box: VoxelBox) {
        for (depth, z) in box.z.enumerated() {
            for (height, y) in box.y.enumerated() {
                let (from, to) = (part.shape.index(z: depth, y: height, x: 0), shape.index(z: z, y: y, x: 0))
                voxels.replaceSubrange(
                    to + box.x.lowerBound ..< to + box.x.upperBound, with: part.voxels[from ..< from + box.x.count])
            }
        }
    }
}
