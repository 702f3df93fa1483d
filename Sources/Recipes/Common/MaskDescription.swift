import Imaging
import Numerics

/// What a mask's header says made it. It travels with the settings, so that every worker writes the same bytes whatever
/// it was built from.
enum MaskDescription {
    /// - Throws: `RecipeError.inputRefused` where a header cannot say it: settings may come over the wire.
    static func validate(_ text: String) throws {
        let range = 1...NIfTIFile.descriptionByteCountMax
        guard range.contains(text.utf8.count), text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw RecipeError.inputRefused("the run's configuration describes masks as "
                + "\"\(text.printable(most: 100))\", which is not 1 to \(range.upperBound) printable characters of "
                + "ASCII")
        }
    }
}
