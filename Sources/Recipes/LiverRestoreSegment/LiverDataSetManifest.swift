import Imaging
import Numerics

/// `dataset.json` of prepared livers: what is in it, with digests, so that a worker that has the files has the data
/// set, and so that slices can be chosen without opening a file.
public struct LiverDataSetManifest: Codable, Hashable, Sendable {
    /// One patient.
    public struct Entry: Codable, Hashable, Sendable {
        /// Unique in the data set; also the stem of its files.
        public var name: String
        /// The CT's file name, for people.
        public var sourceName: String
        public var imageDigest: String
        public var imageByteCount: Int
        /// Digest and size of the file of tumours; nil where nobody has said where they are.
        public var tumourDigest: String?
        public var tumourByteCount: Int?
        /// Pixels above 0 in each slice.
        public var liverPixelsBySlice: [Int]
        /// Tumour pixels in each slice; nil where unknown.
        public var tumourPixelsBySlice: [Int]?
        /// Which axial slice of the CT each one is, from the feet up.
        public var sliceIndexes: [Int]
        /// What to look at before it is learnt from, a sentence each; nil when there is nothing to say.
        public var warnings: [String]?

        /// - Parameter liver: what the two files were made of.
        public init(
            name: String, liver: PreparedLiver, imageDigest: String, imageByteCount: Int, tumourDigest: String? = nil,
            tumourByteCount: Int? = nil
        ) {
            self.name = name
            sourceName = liver.source.name
            self.imageDigest = imageDigest
            self.imageByteCount = imageByteCount
            self.tumourDigest = tumourDigest
            self.tumourByteCount = tumourByteCount
            liverPixelsBySlice = liver.liverPixelsBySlice()
            tumourPixelsBySlice = liver.tumourPixelsBySlice()
            sliceIndexes = liver.sliceIndexes
            warnings = liver.warnings.isEmpty ? nil : liver.warnings
        }

        public var imageName: String { name + ".liver.nii.gz" }
        public var tumourName: String { name + ".tumour.nii.gz" }

        /// The slices that may be learnt from as healthy: they show liver and, as far as is known, no tumour.
        public var cleanSlices: [Int] {
            liverPixelsBySlice.indices.filter { liverPixelsBySlice[$0] > 0 && (tumourPixelsBySlice?[$0] ?? 0) == 0 }
        }
    }

    public static let fileName = "dataset.json"
    public var format = 1
    /// Tells it from a data set of another recipe.
    public var recipe = LiverRestoreSegment.name
    /// The preset that it was prepared for.
    public var presetName: String
    public var settings: LiverSliceSettings
    public var patients: [Entry]

    public init(presetName: String = "paper", settings: LiverSliceSettings, patients: [Entry]) {
        self.presetName = presetName
        self.settings = settings
        self.patients = patients
    }

    /// - Throws: `RecipeError.inputRefused` when sizes are out of range or names could leave the folder.
    public func validate() throws {
        func check(_ condition: Bool, _ problem: String) throws {
            guard condition else {
                throw RecipeError.inputRefused("\(Self.fileName): \(problem); make the data set again with "
                    + "quintet prepare")
            }
        }
        try check(
            recipe == LiverRestoreSegment.name,
            "it is a data set of \"\(recipe.printable())\", not of \(LiverRestoreSegment.name)")
        try check(format == 1, "format \(format) is not known to this version")
        try settings.validate()
        try check(!patients.isEmpty, "there is no patient in it")
        try check(Set(patients.map(\.name)).count == patients.count, "two patients have the same name")
        let pixels = settings.size * settings.size
        for entry in patients {
            try check(DataSetFile.isVolumeName(entry.name), "\"\(entry.name.printable())\" is no file name")
            let count = entry.sliceIndexes.count, axis = ImageLimits.axisVoxelCountMax
            try check((1...axis).contains(count), "\(entry.name) has \(count) slices")
            try check(count <= ImageLimits.voxelCountMax / pixels,
                      "\(entry.name) has more pixels than a volume may have")
            let lists = [entry.liverPixelsBySlice, entry.tumourPixelsBySlice ?? entry.liverPixelsBySlice]
            try check(lists.allSatisfy { $0.count == count && $0.allSatisfy { (0...pixels).contains($0) } },
                      "\(entry.name)'s counts of pixels are not those of its slices")
            let indexes = entry.sliceIndexes
            try check(indexes.allSatisfy { (0..<axis).contains($0) }
                && zip(indexes, indexes.dropFirst()).allSatisfy { $0 < $1 },
                      "\(entry.name)'s slices are out of order")
            try check((entry.tumourDigest == nil) == (entry.tumourPixelsBySlice == nil),
                      "\(entry.name) has half of what is to be said about tumours")
            try check(entry.imageByteCount >= 0 && entry.tumourByteCount ?? 0 >= 0,
                      "\(entry.name) has files of no size")
        }
    }
}
