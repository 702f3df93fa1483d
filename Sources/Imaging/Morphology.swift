import CKernels
import Numerics

/// Binary morphology in 3D on masks. Exact, and the same bytes for any number of threads.
///
/// Outside of the volume is background, as scipy.ndimage has it, but closing lets the mask grow over the border and
/// back, so that a closed mask always contains the mask.
public enum Morphology {
    public static func dilated(_ mask: Mask, by element: StructuringElement, pool: ThreadPool? = nil) -> Mask {
        BitVolume(mask, pool: pool).dilated(by: element, pool: pool).mask(geometry: mask.geometry, pool: pool)
    }

    public static func eroded(_ mask: Mask, by element: StructuringElement, pool: ThreadPool? = nil) -> Mask {
        BitVolume(mask, pool: pool).eroded(by: element, pool: pool).mask(geometry: mask.geometry, pool: pool)
    }

    /// Erosion, then dilation: takes away what the element does not fit into.
    public static func opened(_ mask: Mask, by element: StructuringElement, pool: ThreadPool? = nil) -> Mask {
        BitVolume(mask, pool: pool).opened(by: element, pool: pool).mask(geometry: mask.geometry, pool: pool)
    }

    /// Dilation, then erosion: closes gaps that the element does not fit into.
    public static func closed(_ mask: Mask, by element: StructuringElement, pool: ThreadPool? = nil) -> Mask {
        BitVolume(mask, pool: pool).closed(by: element, pool: pool).mask(geometry: mask.geometry, pool: pool)
    }

    /// Fills the background that has no way to the volume's border through faces, in 3D.
    public static func holesFilled(_ mask: Mask, pool: ThreadPool? = nil) -> Mask {
        BitVolume(mask, pool: pool).holesFilled(pool: pool).mask(geometry: mask.geometry, pool: pool)
    }

    /// The `count` components with most voxels; of two of one size the first in C order.
    public static func largestComponents(
        of mask: Mask, count: Int, neighbourhood: Neighbourhood = .full, pool: ThreadPool? = nil
    ) -> Mask {
        let components = BitVolume(mask, pool: pool).components(neighbourhood, pool: pool)
        let sizes = components.voxelCounts()
        let order = sizes.indices.sorted { (sizes[$0], $1) > (sizes[$1], $0) }
        var keep = [Bool](repeating: false, count: components.count + 1)
        for index in order.prefix(count) { keep[index + 1] = true }
        return mask.with(components.mask(keeping: keep, pool: pool))
    }

    /// The mask's voxels with a neighbour (of 26) outside of it: the mask minus its erosion (method.md A1.6).
    public static func boundaryShell(of mask: Mask, pool: ThreadPool? = nil) -> Mask {
        let bits = BitVolume(mask, pool: pool)
        let inner = bits.eroded(by: StructuringElement(box: BoxSize(z: 3, y: 3, x: 3)), pool: pool)
        return bits.combined(with: inner) { $0 & ~$1 }.mask(geometry: mask.geometry, pool: pool)
    }
}

extension BitVolume {
    package func dilated(by element: StructuringElement, pool: ThreadPool?) -> BitVolume {
        element.passes.reduce(self) { $0.dilated(by: $1, flip: 0, pool: pool) }
    }

    package func eroded(by element: StructuringElement, pool: ThreadPool?) -> BitVolume {
        element.passes.reduce(self) { $0.dilated(by: $1, flip: ~0, pool: pool) }
    }

    package func opened(by element: StructuringElement, pool: ThreadPool?) -> BitVolume {
        eroded(by: element, pool: pool).dilated(by: element, pool: pool)
    }

    package func closed(by element: StructuringElement, pool: ThreadPool?) -> BitVolume {
        guard let box = boundingBox(pool: pool) else { return self }
        let (radius, columns) = (element.radius, (element.radius.x + 63) / 64)
        let slices = box.z.lowerBound - radius.z..<box.z.upperBound + radius.z
        let rows = box.y.lowerBound - radius.y..<box.y.upperBound + radius.y
        let words = box.x.lowerBound / 64 - columns..<(box.x.upperBound + 63) / 64 + columns
        let closed = window(slices: slices, rows: rows, words: words)
            .dilated(by: element, pool: pool).eroded(by: element, pool: pool)
        var result = self
        result.put(closed, slices: slices, rows: rows, words: words)
        return result
    }

    package func holesFilled(pool: ThreadPool?) -> BitVolume {
        let background = complement().components(.faces, pool: pool)
        let open = BitVolume.border(of: shape).words.withUnsafeBufferPointer { background.touched(by: $0, pool: pool) }
        return BitVolume(shape: shape, words: background.bits(keeping: open, pool: pool)).complement()
    }

    /// Slices that one task writes: enough to spread the cost of the slices around them.
    private static let taskSlices = 16

    private func dilated(by pass: StructuringElement.Pass, flip: UInt64, pool: ThreadPool?) -> BitVolume {
        let distinct = Set(pass.reach).filter { $0 >= 0 }.sorted()
        let result = [UInt64](count: words.count) { out in
            guard !words.isEmpty else { return }
            words.withUnsafeBufferPointer { bits in
                pass.reach.withUnsafeBufferPointer { reach in
                    distinct.withUnsafeBufferPointer { distinct in
                        nonisolated(unsafe) let dilation = quintet_dilation(
                            bits: bits.baseAddress, depth: shape.depth, height: shape.height, width: shape.width,
                            radius_z: pass.radiusZ, radius_y: pass.radiusY, reach: reach.baseAddress,
                            distinct: distinct.baseAddress, distinct_count: distinct.count, flip: flip)
                        nonisolated(unsafe) let out = out
                        runRanges(shape.depth, stride: Self.taskSlices, on: pool) { Self.run(dilation, $0, out) }
                    }
                }
            }
        }
        return BitVolume(shape: shape, words: result)
    }

    private static func run(_ dilation: quintet_dilation, _ slices: Range<Int>, _ out: UnsafeMutablePointer<UInt64>?) {
        withUnsafePointer(to: dilation) { dilation in
            let count = quintet_bits_dilate_scratch_count(dilation, slices.count)
            withUnsafeTemporaryAllocation(of: UInt64.self, capacity: count) {
                quintet_bits_dilate(dilation, slices.lowerBound, slices.count, $0.baseAddress, out)
            }
        }
    }
}
