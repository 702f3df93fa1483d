import Platform
import Testing
import quintet

/// A folder of DICOM that is looked at again and again.
struct DicomListingTests {
    /// A made-up quintet-dicom: a file's series is the last folder of its path, and what it opens is counted.
    private final class Reader {
        var opened: [String] = []

        func read(_ files: [FolderWalk.File]) throws -> DicomListing {
            opened += files.map(\.relative)
            let groups = Dictionary(grouping: files.indices) { files[$0].relative.split(separator: "/")[0] }
            let lines = groups.filter { $0.key != "junk" }.sorted { $0.value[0] < $1.value[0] }.map { uid, indices in
                "{\"uid\":\"\(uid)\",\"isCT\":false,\"columns\":1,\"rows\":1,\"spacing\":[1,1,1],"
                    + "\"files\":[\(indices.dropFirst().map(String.init).joined(separator: ","))],"
                    + "\"leftOut\":[\(indices[0])]}\n"
            }
            let junk = (groups["junk"] ?? []).map { "@\($0)\n{\"unreadable\":\($0),\"reason\":\"no DICOM\"}\n" }
            return try DicomListing(output: Array((lines + junk).joined().utf8), files: files)
        }
    }

    private func files(_ names: [String], stamp: UInt64 = 1) -> [FolderWalk.File] {
        names.sorted().map { name in
            FolderWalk.File(
                relative: name, path: "/a/" + name,
                stamp: FileStamp(byteCount: stamp, modifiedNanoseconds: 7, inode: 8))
        }
    }

    private static let first = ["a/1", "a/2", "b/1", "b/2", "b/3", "junk/1"]

    /// Would notice a series that is not looked at when a slice comes, goes or changes, and headers that are all opened
    /// again for one.
    @Test(arguments: [
        (DicomListingTests.first, []), (DicomListingTests.first + ["c/1", "c/2"], ["c/1", "c/2"]),
        (DicomListingTests.first + ["a/3", "a/4"], ["a/3", "a/4", "a/1", "a/2", "a/3", "a/4"]),
        (["a/1", "a/2", "b/2", "b/3", "junk/1"], ["b/2", "b/3"]), (["b/1", "b/2", "b/3"], []),
        (DicomListingTests.first + ["junk/2"], ["junk/2"]),
    ])
    func onlyWhatHasChangedIsOpened(now: [String], opened: [String]) throws {
        let reader = Reader(), before = try reader.read(files(Self.first))
        reader.opened = []
        let updated = try before.updated(from: Set(files(Self.first)), to: files(now), reading: reader.read)
        #expect(reader.opened == opened)
        let whole = try Reader().read(files(now))
        #expect(updated.series == whole.series)
        #expect(updated.unreadable.map(\.file) == whole.unreadable.map(\.file))
    }

    @Test func aSliceThatWasWrittenAnewIsOpened() throws {
        let reader = Reader(), before = try reader.read(files(Self.first))
        reader.opened = []
        var now = files(Self.first)
        now[3] = files(["b/2"], stamp: 2)[0]
        let updated = try before.updated(from: Set(files(Self.first)), to: now, reading: reader.read)
        #expect(reader.opened == ["b/1", "b/2", "b/3"])
        #expect(try updated.series == Reader().read(now).series)
    }
}
