import Imaging
import Numerics

/// `dataset.json` of a prepared data set: what is in it, with digests, so that a worker that has the files has the
/// data set, and so that slabs can be chosen without opening a volume.
public struct DataSetManifest: Codable, Hashable, Sendable {
    public struct Entry: Codable, Hashable, Sendable {
        /// Unique in the data set; also the stem of its files.
        public var name: String
        /// The CT's file name, for people.
        public var sourceName: String
        public var imageDigest: String
        public var lungDigest: String
        public var imageByteCount: Int
        public var lungByteCount: Int
        public var depth: Int
        /// Lung voxels in each slice (after A1.6).
        public var lungVoxelsBySlice: [Int]
        /// Slices that show findings and must not be learnt as normal; prepared grid.
        public var excludedSlices: [Int]
        /// A1.6: voxels taken out as segmentation errors.
        public var edgeVoxelsRemoved: Int
        public var lungML: Double
        /// Share of bright voxels in the lung.
        public var brightShare: Double
        /// What to look at before it is learnt from, a sentence each; nil when there is nothing to say.
        public var warnings: [String]?

        public init(
            name: String, sourceName: String, imageDigest: String, lungDigest: String, imageByteCount: Int,
            lungByteCount: Int, depth: Int, lungVoxelsBySlice: [Int], excludedSlices: [Int], edgeVoxelsRemoved: Int,
            lungML: Double, brightShare: Double, warnings: [String]? = nil
        ) {
            self.name = name
            self.sourceName = sourceName
            self.imageDigest = imageDigest
            self.lungDigest = lungDigest
            self.imageByteCount = imageByteCount
            self.lungByteCount = lungByteCount
            self.depth = depth
            self.lungVoxelsBySlice = lungVoxelsBySlice
            self.excludedSlices = excludedSlices
            self.edgeVoxelsRemoved = edgeVoxelsRemoved
            self.lungML = lungML
            self.brightShare = brightShare
            self.warnings = warnings
        }

        public var imageName: String { name + ".image.nii.gz" }
        public var lungName: String { name + ".lung.nii.gz" }
    }

    public static let fileName = DataSetFile.descriptionName
    public var format = 1
    /// The grid it was prepared for; training with a preset of another grid is refused.
    public var presetName: String
    public var spacing: Spacing
    public var tau: Double
    public var planeHeight: Int
    public var planeWidth: Int
    public var volumes: [Entry]

    public init(preset: Preset, planeHeight: Int, planeWidth: Int, volumes: [Entry]) {
        self.presetName = preset.name
        self.spacing = preset.spacing
        self.tau = preset.tau
        self.planeHeight = planeHeight
        self.planeWidth = planeWidth
        self.volumes = volumes
    }

    /// Voxels along a plane's sides: at the paper's resolution more than three metres.
    static let planeSideMax = 4096

    public static let nameByteCountMax = DataSetFile.nameByteCountMax

    /// Slabs of a run's shape are cut out of volumes of the data set's.
    /// - Throws: `RecipeError.inputRefused` when their planes differ.
    func check(against configuration: LungRunConfiguration) throws {
        guard (configuration.planeHeight, configuration.planeWidth) == (planeHeight, planeWidth) else {
            throw RecipeError.inputRefused("\(Self.fileName) has planes of \(planeHeight)x\(planeWidth), the run's "
                + "configuration of \(configuration.planeHeight)x\(configuration.planeWidth); train with the data set "
                + "that the run was made for")
        }
    }

    /// - Throws: `RecipeError.inputRefused` when sizes are out of range or names could leave the folder.
    public func validate() throws {
        func check(_ condition: Bool, _ problem: String) throws {
            guard condition else {
                throw RecipeError.inputRefused("\(Self.fileName): \(problem); make the data set again with "
                    + "quintet prepare")
            }
        }
        try check(format == 1, "format \(format) is not known to this version")
        let sides = 1...Self.planeSideMax
        try check(sides.contains(planeHeight) && sides.contains(planeWidth), "the plane's size is absurd")
        let lengths = [spacing.zMM, spacing.yMM, spacing.xMM]
        try check(lengths.allSatisfy((0.1...100).contains), "its spacing is \(spacing.text)")
        try check((0...1).contains(tau), "tau is \(tau)")
        try check(!volumes.isEmpty, "there is no volume in it")
        try check(Set(volumes.map(\.name)).count == volumes.count, "two volumes have the same name")
        for entry in volumes {
            try check(DataSetFile.isVolumeName(entry.name), "\"\(entry.name.printable())\" is no file name")
            try check(
                entry.depth <= ImageLimits.voxelCountMax / (planeHeight * planeWidth),
                "\(entry.name) has more voxels than a volume may have")
            try check(entry.imageByteCount >= 0 && entry.lungByteCount >= 0, "\(entry.name) has files of no size")
            let depths = 1...ImageLimits.axisVoxelCountMax
            try check(depths.contains(entry.depth), "\(entry.name) has \(entry.depth) slices")
            try check(entry.lungVoxelsBySlice.count == entry.depth, "\(entry.name) lacks its slices' lung voxels")
            try check(
                entry.lungVoxelsBySlice.allSatisfy { $0 >= 0 && $0 <= planeHeight * planeWidth },
                "\(entry.name) has more lung than plane")
            try check(entry.excludedSlices.allSatisfy { (0..<entry.depth).contains($0) },
                "\(entry.name) leaves out slices it does not have")
        }
    }
}
