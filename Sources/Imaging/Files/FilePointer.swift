/// Small texts that version control leaves where a large file belongs until it is asked for it.
enum FilePointer {
    /// nil when these are the first bytes of something else.
    static func kind(_ start: [UInt8]) -> (what: String, remedy: String)? {
        if start.starts(with: "version https://git-lfs.github.com/spec".utf8) {
            return ("a Git LFS pointer, whose data were not fetched", "run git lfs pull in its repository")
        }
        if start.starts(with: "/annex/objects/".utf8) {
            return ("a git-annex pointer, whose data were not fetched", "run git annex get in its repository")
        }
        return nil
    }

    /// The file that a header names may be one while the header itself is there.
    static func refuse(_ input: ByteInput) throws(ImageFileError) {
        guard let kind = kind(try input.peek(64)) else { return }
        throw ImageFileError(input.name, .foreign, "is \(kind.what)", remedy: kind.remedy)
    }
}
