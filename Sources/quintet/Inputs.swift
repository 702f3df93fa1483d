import Platform
import Recipes

/// CTs and their masks, as `prepare` and `segment` are told of them.
struct Inputs {
    var archive: Archive
    let masks: MaskPairing?
    private let pairs: PairTable?

    static func options(_ recipe: any RecipePlugIn) -> [Option] {
        [
            Option("--masks", "DIR", recipe.preparationGuide.masks.help),
            Option("--pairs", "CSV", "a table with columns ct and mask instead, for any layout of folders"),
        ]
    }

    /// - Parameters:
    ///   - paths: the CTs that the command names; may be empty where there is a table.
    ///   - mayBeEmpty: more will come.
    init(_ paths: [String], _ arguments: Arguments, mayBeEmpty: Bool = false) throws {
        let pairs = try arguments.text("--pairs").map { try PairTable($0) }
        let maskPath = arguments.text("--masks")
        guard pairs == nil || maskPath == nil else {
            throw UsageError("--masks and --pairs both say where the masks are; give one of them")
        }
        let isNeeded = arguments.recipe.preparationGuide.masks.isNeeded
        guard !isNeeded || pairs != nil || maskPath != nil else {
            throw UsageError("--masks is needed, or --pairs: \(arguments.recipe.name) cannot make a mask")
        }
        let archive = try paths.isEmpty ? pairs?.archive() : Archive(paths, mayBeEmpty: mayBeEmpty)
        guard let archive else { throw UsageError("which CTs? name files or folders, or a table by --pairs") }
        self.archive = archive
        self.pairs = pairs
        masks = try maskPath.map { try MaskPairing($0, archive: archive, canBeMade: !isNeeded) }
            ?? pairs.map { MaskPairing($0, archive: archive, canBeMade: !isNeeded) }
    }

    /// CTs that a text names, a line each.
    init(list: String, _ arguments: Arguments) throws {
        guard let bytes = try? FileSystem.read(list, byteCountMax: 1 << 30) else {
            throw UsageError("--list \(list) can't be read")
        }
        guard arguments.text("--pairs") == nil else {
            throw UsageError("--list and --pairs both say which CTs; give one of them")
        }
        let folder = FileSystem.folder(of: list)
        let paths = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init).filter {
            !$0.isEmpty && !$0.hasPrefix("#")
        }.map { $0.hasPrefix("/") || folder == "." ? $0 : folder + "/" + $0 }
        let isNeeded = arguments.recipe.preparationGuide.masks.isNeeded
        let archive = try Archive(paths, below: folder)
        guard !isNeeded || arguments.has("--masks") else {
            throw UsageError("--masks is needed, or --pairs: \(arguments.recipe.name) cannot make a mask")
        }
        (self.archive, pairs) = (archive, nil)
        masks = try arguments.text("--masks").map { try MaskPairing($0, archive: archive, canBeMade: !isNeeded) }
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
