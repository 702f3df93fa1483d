import Platform
import Recipes

/// CTs and their masks, as `prepare` and `segment` are told of them.
struct Inputs {
    let archive: Archive
    let masks: MaskPairing?
    private let pairs: PairTable?

    static func options(_ recipe: any RecipePlugIn) -> [Option] {
        [
            Option("--masks", "DIR", recipe.preparationGuide.masks.help),
            Option("--pairs", "CSV", "a table with columns ct and mask instead, for any layout of folders"),
        ]
    }

    /// - Parameter paths: the CTs that the command names; may be empty where there is a table.
    init(_ paths: [String], _ arguments: Arguments) throws {
        let pairs = try arguments.text("--pairs").map { try PairTable($0) }
        let maskPath = arguments.text("--masks")
        guard pairs == nil || maskPath == nil else {
            throw UsageError("--masks and --pairs both say where the masks are; give one of them")
        }
        let isNeeded = arguments.recipe.preparationGuide.masks.isNeeded
        guard !isNeeded || pairs != nil || maskPath != nil else {
            throw UsageError("--masks is needed, or --pairs: \(arguments.recipe.name) cannot make a mask")
        }
        let archive = try paths.isEmpty ? pairs?.archive() : Archive(paths)
        guard let archive else { throw UsageError("which CTs? name files or folders, or a table by --pairs") }
        self.archive = archive
        self.pairs = pairs
        masks = try maskPath.map { try MaskPairing($0, archive: archive, canBeMade: !isNeeded) }
            ?? pairs.map { MaskPairing($0, archive: archive, canBeMade: !isNeeded) }
    }

    /// - Parameter masks: nil: they are made here.
    init(_ archive: Archive, masks: MaskPairing? = nil) { (self.archive, self.masks, pairs) = (archive, masks, nil) }

    /// Everything that is read.
    var paths: [String] {
        archive.items.map(\.path) + archive.items.compactMap { try? masks?.mask(for: $0) }
            + (pairs.map { [$0.path] } ?? [])
    }

    /// - Throws: `CommandError` when what is written there would be found among the CTs the next time.
    func checkOutside(_ folder: String) throws {
        guard archive.walks(through: folder) else { return }
        throw CommandError("\(folder) lies where the CTs are looked for, so that answers would be taken for CTs; "
            + "nothing was written: choose a folder outside of the archive")
    }

    /// What was left out on purpose, and what cannot be taken.
    func tell(_ progress: ProgressLine, as word: String) {
        for note in archive.notes { progress.say(note) }
        for one in archive.refused { progress.warn("\(word): \(one.message)") }
    }
}
