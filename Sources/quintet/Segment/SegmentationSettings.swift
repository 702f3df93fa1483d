import Recipes

/// What fixes the answers in a folder, `.quintet-segmentation.json`: a table with answers of two ensembles would be
/// neither's.
struct SegmentationSettings: Codable, Equatable {
    var format = 1
    var recipe: String
    var replicaDigests: [String]
    /// As in run.json.
    var otherDigests: [String: String]?
    var configuration: JSONValue

    init(_ run: RunFolder.Description, _ configuration: JSONValue) {
        (recipe, replicaDigests, otherDigests) = (run.recipe, run.replicaDigests, run.otherDigests)
        self.configuration = configuration
    }

    /// Of earlier programs, which wrote no format: the first one.
    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        format = try values.decodeIfPresent(Int.self, forKey: .format) ?? 1
        recipe = try values.decode(String.self, forKey: .recipe)
        replicaDigests = try values.decode([String].self, forKey: .replicaDigests)
        otherDigests = try values.decodeIfPresent([String: String].self, forKey: .otherDigests)
        configuration = try values.decode(JSONValue.self, forKey: .configuration)
    }
}
