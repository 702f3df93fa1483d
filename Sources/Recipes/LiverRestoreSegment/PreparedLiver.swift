import Imaging
import Numerics

/// One axial slice as the networks see it.
public struct LiverSlice: Sendable, Hashable {
    /// Rows and columns.
    public var size: Int
    /// 0 ... 255, row by row from the patient's back to the front, each from left to right (RAS); 0 outside of the
    /// liver.
    public var pixels: [UInt8]
    /// 1 in tumours; nil where nobody has said where they are.
    public var tumour: [UInt8]?
    /// Which axial slice of the CT it is, counted from the feet up.
    public var sourceZ: Int

    /// 1 where the slice shows liver: where a pixel is above 0.
    public var liver: [UInt8] { pixels.map { $0 > 0 ? 1 : 0 } }
}

/// The slices of a patient that show liver, and the way back to the CT's own grid.
public struct PreparedLiver: Sendable {
    public var settings: LiverSliceSettings
    /// Slice by slice from the feet up, `size` x `size` each; 0 outside of the liver.
    public var pixels: Volume<UInt8>
    /// 1 in tumours, of the same shape; nil where nobody has said where they are.
    public var tumour: Mask?
    /// Which axial slice of the CT each one is, counted from the feet up; strictly increasing.
    public var sliceIndexes: [Int]
    /// From the CT to `size` x `size` pixels in all of its axial slices.
    public var plan: ResamplingPlan
    public var source: ImageSource
    /// The liver on the file's own grid, as it was given.
    public var sourceLiver: Mask
    /// What qualifies every figure about it: a sentence each, without the CT's name.
    public var warnings: [String] = []

    public var sliceCount: Int { sliceIndexes.count }

    /// - Parameter number: 0 ..< `sliceCount`.
    public func slice(_ number: Int) -> LiverSlice {
        let count = pixels.shape.sliceVoxelCount, range = number * count..<(number + 1) * count
        return LiverSlice(
            size: settings.size, pixels: Array(pixels.voxels[range]), tumour: tumour.map { Array($0.voxels[range]) },
            sourceZ: sliceIndexes[number])
    }

    public func liverPixelsBySlice() -> [Int] { Self.countBySlice(pixels) }

    /// nil where nobody has said where tumours are.
    public func tumourPixelsBySlice() -> [Int]? { tumour.map(Self.countBySlice) }

    private static func countBySlice(_ volume: Volume<UInt8>) -> [Int] {
        let count = volume.shape.sliceVoxelCount
        return (0..<volume.shape.depth).map { z in
            volume.voxels[z * count..<(z + 1) * count].reduce(0) { $0 + ($1 > 0 ? 1 : 0) }
        }
    }

    /// Answers of all slices as one mask on the CT's own grid: its shape, order and affine. Every voxel takes the
    /// nearest pixel; slices without liver and what lies outside of the liver are 0.
    /// - Parameter answers: of `pixels`' shape.
    public func back(_ answers: Mask, pool: ThreadPool) -> Mask {
        precondition(answers.shape == pixels.shape, "answers of \(answers.shape) are not those of \(pixels.shape)")
        let count = answers.shape.sliceVoxelCount
        var whole = Mask(repeating: 0, shape: plan.gridShape, geometry: pixels.geometry)
        for (number, z) in sliceIndexes.enumerated() {
            whole.voxels.replaceSubrange(
                z * count..<(z + 1) * count, with: answers.voxels[number * count..<(number + 1) * count])
        }
        var result = plan.back(whole, pool: pool)
        for index in result.voxels.indices { result.voxels[index] &= sourceLiver.voxels[index] }
        return result
    }

    /// Without the slices that somebody has named as showing findings.
    /// - Parameter fileSlices: counted from 0 along the file's third axis.
    /// - Throws: `RecipeError.inputRefused` where they cannot be of this CT, or leave nothing of it.
    package func leavingOut(_ fileSlices: Set<Int>) throws -> PreparedLiver {
        guard !fileSlices.isEmpty else { return self }
        func refused(_ problem: String) -> RecipeError { .inputRefused("\(source.name): \(problem)") }
        guard source.orientation.superiorAxis == 2 else {
            throw refused("--leave-out counts slices along the third axis of the file, which does not run from top to "
                + "bottom of the patient here (it is stored \(source.orientation)); store it with axial slices, or "
                + "leave it out")
        }
        let depth = source.shape.depth
        if let beyond = fileSlices.filter({ $0 >= depth }).min() {
            throw refused("--leave-out names slice \(beyond), and it has \(depth), 0 to \(depth - 1); they are counted "
                + "from 0, of the file that was given")
        }
        // From the feet up here, as the file has it there.
        let isTurned = Array(source.orientation.description)[2] == "I"
        let kept = sliceIndexes.indices.filter {
            !fileSlices.contains(isTurned ? depth - 1 - sliceIndexes[$0] : sliceIndexes[$0])
        }
        guard !kept.isEmpty else {
            throw refused("--leave-out leaves no slice of its liver; take it out of the data set, or check the table")
        }
        var result = self
        result.sliceIndexes = kept.map { sliceIndexes[$0] }
        result.pixels = Self.gather(pixels, kept)
        result.tumour = tumour.map { Self.gather($0, kept) }
        return result
    }

    private static func gather(_ volume: Volume<UInt8>, _ slices: [Int]) -> Volume<UInt8> {
        let count = volume.shape.sliceVoxelCount
        let shape = VolumeShape(depth: slices.count, height: volume.shape.height, width: volume.shape.width)
        return Volume(
            shape: shape, geometry: volume.geometry,
            voxels: slices.flatMap { volume.voxels[$0 * count..<($0 + 1) * count] })
    }

    /// The files of a data set, 8-bit NIfTI each: the pixels, and the tumours where they are known. Slices lie one
    /// behind the other, also where some between them show no liver.
    public func encoded() -> (image: [UInt8], tumour: [UInt8]?) {
        (NIfTIFile.encode(pixels), tumour.map { NIfTIFile.encode($0) })
    }

    /// Reads a file that `encoded` wrote, as bytes.
    /// - Throws: `RecipeError.inputRefused` when it is not of this shape or holds values above `most`.
    static func decode(path: String, name: String, shape: VolumeShape, most: UInt8) throws -> [UInt8] {
        let volume = try Preparation.refusing { try NIfTIFile.read(path: path, name: name).volume }
        guard volume.shape == shape, volume.voxels.allSatisfy({ (0...Float(most)).contains($0) }) else {
            throw RecipeError.inputRefused("\(name) of the data set is not what its "
                + "\(LiverDataSetManifest.fileName) says; make the data set again with quintet prepare")
        }
        return volume.voxels.map { UInt8($0) }
    }
}
