import Imaging

/// A prepared data set of livers in memory: a byte a pixel, and one for the tumours where they are known.
public struct LiverDataSet: Sendable {
    /// A slice of a patient, both by number.
    public struct Place: Hashable, Sendable {
        public var patient: Int
        public var slice: Int

        public init(patient: Int, slice: Int) { (self.patient, self.slice) = (patient, slice) }
    }

    public let manifest: LiverDataSetManifest
    /// What may be learnt from, patient by patient and from the feet up; never empty.
    public let cleanSlices: [Place]
    private let pixels: [[UInt8]]

    /// Most bytes of pixels: 65,536 slices of 256 x 256.
    static let byteCountMax = 4 << 30

    /// - Parameter inputs: roles "dataset" (dataset.json) and "image" (named as in the manifest). Files of tumours are
    /// not
    ///   read: which slices have some stands in the manifest.
    /// - Throws: `RecipeError.inputRefused` when a file is missing or not what the manifest says.
    public init(inputs: [RecipeInput]) throws {
        guard let description = inputs.first(where: { $0.role == "dataset" }) else {
            throw RecipeError.inputRefused("the run has no \(LiverDataSetManifest.fileName) among its inputs")
        }
        let manifest = try JSONText.decode(
            LiverDataSetManifest.self, try InputFile.text(description), what: description.name)
        try manifest.validate()
        let size = manifest.settings.size
        let total = manifest.patients.reduce(0) { $0 + $1.sliceIndexes.count } * size * size
        guard total <= Self.byteCountMax else {
            throw RecipeError.inputRefused("\(description.name): \(total) pixels do not fit into memory, of which "
                + "\(Self.byteCountMax) bytes are set aside; train on fewer patients")
        }
        let paths = Dictionary(inputs.filter { $0.role == "image" }.map { ($0.name, $0.path) },
                               uniquingKeysWith: { first, _ in first })
        pixels = try manifest.patients.map { entry in
            guard let path = paths[entry.imageName] else {
                throw RecipeError.inputRefused("the data set's \(entry.imageName) is missing from the run's inputs")
            }
            let shape = VolumeShape(depth: entry.sliceIndexes.count, height: size, width: size)
            return try PreparedLiver.decode(path: path, name: entry.imageName, shape: shape, most: 255)
        }
        cleanSlices = manifest.patients.enumerated().flatMap { number, entry in
            entry.cleanSlices.map { Place(patient: number, slice: $0) }
        }
        guard !cleanSlices.isEmpty else {
            throw RecipeError.inputRefused("\(description.name): every slice shows tumour, and networks learn from "
                + "slices without any; add healthy CTs")
        }
        self.manifest = manifest
    }

    /// The pixels of a slice, `size` x `size`; valid within `body`.
    public func withPixels<Result>(
        _ place: Place, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result {
        let count = manifest.settings.size * manifest.settings.size
        return try pixels[place.patient].withUnsafeBufferPointer {
            try body(UnsafeBufferPointer(rebasing: $0[place.slice * count..<(place.slice + 1) * count]))
        }
    }
}
