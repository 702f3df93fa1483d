/// The slabs that training may draw from: all of their slices are healthy and they hold enough lung (A2).
package struct SlabIndex: Sendable {
    package struct Slab: Hashable, Sendable {
        package var volume: Int
        package var firstSlice: Int
        /// lambda of A2: this slab's lung volume over the largest one in the data set.
        package var lungShare: Float
    }

    package let slabs: [Slab]

    /// Slabs with less than this share of the fullest slab's lung are left out: apex and base teach little.
    static let lungShareMin: Float = 0.1

    /// - Throws: `RecipeError.inputRefused` when there is not a single slab.
    package init(manifest: DataSetManifest, slabDepth: Int) throws {
        var found: [(volume: Int, first: Int, voxels: Int)] = []
        for (number, entry) in manifest.volumes.enumerated() where entry.depth >= slabDepth {
            let excluded = Set(entry.excludedSlices)
            for first in 0...(entry.depth - slabDepth) {
                let slices = first..<(first + slabDepth)
                guard slices.allSatisfy({ !excluded.contains($0) }) else { continue }
                found.append((number, first, slices.reduce(0) { $0 + entry.lungVoxelsBySlice[$1] }))
            }
        }
        let most = found.map(\.voxels).max() ?? 0
        slabs = found.compactMap { slab in
            let share = most > 0 ? Float(slab.voxels) / Float(most) : 0
            return share > Self.lungShareMin
                ? Slab(volume: slab.volume, firstSlice: slab.first, lungShare: share) : nil
        }
        guard !slabs.isEmpty else {
            throw RecipeError.inputRefused("the data set has no \(slabDepth) healthy slices in a row with lung in "
                + "them; prepare more CTs, or leave out fewer slices")
        }
    }
}
