import Imaging

/// How CTs and masks are read where their files need it, as somebody has said on the command line. Travels to workers
/// in the run's configuration, and only where it was given.
public struct ReadingOptions: Codable, Hashable, Sendable {
    /// Added to every value of a CT, whose file holds HU + 1024 for example.
    public var addHU: Double?
    /// The labels of a mask that count as inside; nil: all but 0.
    public var maskLabels: [Int]?

    public init(addHU: Double? = nil, maskLabels: [Int]? = nil) {
        self.addHU = addHU
        self.maskLabels = maskLabels
    }

    /// What 16 bits hold, either way.
    public static let addHURange = -65_536.0...65_536
    public static let labelRange = 1...65_535
    public static let labelCountMax = 1000

    public var labels: Set<Int>? { maskLabels.map(Set.init) }

    /// - Throws: `RecipeError.inputRefused`: they may come over the wire.
    func validate() throws {
        if let addHU, !Self.addHURange.contains(addHU) {
            throw RecipeError.inputRefused("the run's configuration adds \(addHU) HU to its CTs, and values of CTs are "
                + "within \(Self.addHURange.lowerBound) to \(Self.addHURange.upperBound)")
        }
        guard let maskLabels else { return }
        guard (1...Self.labelCountMax).contains(maskLabels.count), maskLabels.allSatisfy(Self.labelRange.contains)
        else {
            throw RecipeError.inputRefused("the run's configuration names labels of masks that are not 1 to "
                + "\(Self.labelCountMax) whole numbers from \(Self.labelRange.lowerBound) to "
                + "\(Self.labelRange.upperBound)")
        }
    }

    /// The CT with what is to be added.
    public func applied(to ct: LoadedImage) -> LoadedImage {
        guard let addHU, addHU != 0 else { return ct }
        var result = ct
        for index in result.volume.voxels.indices { result.volume.voxels[index] += Float(addHU) }
        return result
    }
}
