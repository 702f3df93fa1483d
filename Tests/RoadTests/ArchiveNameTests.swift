import Foundation
import Recipes
import Testing
import quintet

/// An answer keeps its CT, and a mask its patient, whatever is added to a folder.
@Suite struct ArchiveNameTests {
    /// Folders with files that are only looked at by their names.
    private func road(_ files: String...) throws -> Road {
        let road = try Road()
        for file in files { try road.touch(file) }
        return road
    }

    private func names(_ road: Road, _ folder: String = "ct") throws -> [String] {
        try Archive([road.path(folder)]).items.map(\.name)
    }

    @Test func aNameIsThePathBelowTheFolderAndAddingAPatientRenamesNobody() throws {
        let road = try road("ct/pat1/ct.nii.gz", "ct/pat2/ct.nii.gz", "ct/a b.nii.gz", "ct/a_b.mha")
        defer { road.remove() }
        #expect(try names(road) == ["a b", "a_b", "pat1/ct", "pat2/ct"])
        try road.touch("ct/pat0/ct.nii.gz")
        #expect(try names(road) == ["a b", "a_b", "pat0/ct", "pat1/ct", "pat2/ct"])
    }

    @Test func aFolderCalledLikeAnImageIsAFolder() throws {
        let road = try road("ct/corona_001.nii/corona_001.nii")
        defer { road.remove() }
        let archive = try Archive([road.path("ct")])
        #expect(archive.items.map(\.name) == ["corona_001.nii/corona_001"] && archive.refused.isEmpty)
    }

    @Test func twoFilesOfOneAnswerAreBothRefusedAndTheOthersTaken() throws {
        let road = try road("ct/a.nii.gz", "ct/a.mha", "ct/b.nii")
        defer { road.remove() }
        let archive = try Archive([road.path("ct")])
        #expect(archive.items.map(\.name) == ["b"])
        #expect(archive.refused.count == 2 && archive.refused.allSatisfy { $0.message.contains("one answer") })
    }

    @Test func linkedFoldersAreReadOnceAndLinksThatLeadUpwardsEnd() throws {
        let road = try road("ct/real/a.nii.gz", "elsewhere/b.nii.gz")
        defer { road.remove() }
        try road.link("ct/linked", to: "elsewhere")
        try road.link("ct/real/up", to: "ct")
        try road.link("ct/gone.nii.gz", to: "nowhere")
        let archive = try Archive([road.path("ct")])
        #expect(archive.items.map(\.name) == ["linked/b", "real/a"])
        #expect(archive.notes.count == 1 && archive.notes[0].contains("real/up"), "\(archive.notes)")
        #expect(archive.refused.map(\.name) == ["gone.nii.gz"], "\(archive.refused)")
        try road.link("root", to: "ct")
        #expect(try names(road, "root") == ["linked/b", "real/a"])
    }

    @Test func whatLooksLikeACTAndIsNotReadIsNamed() throws {
        let road = try road(
            "ct/a.nii.gz", "ct/b.nrrd", "ct/c.nii.bz2", "ct/notes.txt", "ct/d.img")
        defer { road.remove() }
        let archive = try Archive([road.path("ct")])
        #expect(archive.items.map(\.name) == ["a"])
        let messages = archive.refused.map(\.message).joined(separator: "\n")
        for part in ["b.nrrd", "c.nii.bz2", "d.img"] {
            #expect(messages.contains(part), "\(messages)")
        }
        #expect(archive.refused.count == 3 && !messages.contains("notes.txt"))
    }

    @Test func aNameThatIsNoUTF8IsNamed() throws {
        let road = try road("ct/a.nii.gz")
        defer { road.remove() }
        let made = (Array(road.path("ct/").utf8) + [0xFF, 0xFE] + Array(".nii.gz".utf8) + [0]).withUnsafeBytes {
            open($0.baseAddress!.assumingMemoryBound(to: CChar.self), O_CREAT | O_WRONLY, 0o644)
        }
        #expect(made >= 0)
        close(made)
        let archive = try Archive([road.path("ct")])
        #expect(archive.items.map(\.name) == ["a"])
        #expect(archive.refused.count == 1 && archive.refused[0].message.contains("not UTF-8"))
    }

    @Test func ownAnswersAreNeverInputs() throws {
        let road = try road("ct/a.nii.gz", "ct/masks/a.nii.gz", "ct/masks/.quintet-files", "ct/old/a.nii.gz")
        defer { road.remove() }
        try Data("name,lesion_ml,lesion_percent\n".utf8)
            .write(to: URL(fileURLWithPath: road.path("ct/old/archive.csv")))
        let archive = try Archive([road.path("ct")])
        #expect(archive.items.map(\.name) == ["a"] && archive.refused.isEmpty && archive.notes.count == 2)
        #expect(throws: UsageError.self) { try Archive([road.path("ct/masks")]) }
        // nnU-Net's folders have a dataset.json of their own.
        try Data("{\"channel_names\": {}}".utf8).write(to: URL(fileURLWithPath: road.path("ct/dataset.json")))
        #expect(try names(road) == ["a"])
    }

    @Test func longNamesStayUniqueWhereTheyMustBeShort() {
        let long = String(repeating: "9", count: 300)
        let one = WireName.fitting(long + ".1", byteCountMax: 192)
        let other = WireName.fitting(long + ".2", byteCountMax: 192)
        #expect(one != other && one.utf8.count == 192 && one.hasSuffix("9.1"))
        #expect(WireName.fitting("pat1/ct", byteCountMax: 192) == "pat1/ct")
        #expect(WireName.fitting(String(repeating: "ö", count: 200), byteCountMax: 192).utf8.count <= 192)
    }

    // MARK: - Masks

    /// - Returns: the mask's path below "m" for every CT, or "refused".
    private func pairs(_ road: Road) throws -> [String: String] {
        let archive = try Archive([road.path("ct")])
        let masks = try MaskPairing(road.path("m"), archive: archive)
        return Dictionary(uniqueKeysWithValues: archive.items.map { item in
            let mask = try? masks.mask(for: item)
            return (item.name, mask.map { String($0.dropFirst(road.path("m/").count)) } ?? "refused")
        })
    }

    @Test func masksArePairedByTheirPaths() throws {
        let road = try road("ct/pat1/ct.nii.gz", "ct/pat2/ct.nii.gz", "m/pat1/ct.nii.gz", "m/pat2/ct.nii.gz")
        defer { road.remove() }
        let expected = ["pat1/ct": "pat1/ct.nii.gz", "pat2/ct": "pat2/ct.nii.gz"]
        #expect(try pairs(road) == expected)
        // Another patient's mask changes nothing.
        try road.touch("m/pat0/ct.nii.gz")
        #expect(try pairs(road) == expected)
        // Without its mask a patient has none; the neighbour's is not taken.
        try FileManager.default.removeItem(atPath: road.path("m/pat1/ct.nii.gz"))
        #expect(try pairs(road) == ["pat1/ct": "refused", "pat2/ct": "pat2/ct.nii.gz"])
        try FileManager.default.removeItem(atPath: road.path("ct/pat2/ct.nii.gz"))
        #expect(try pairs(road) == ["pat1/ct": "refused"])
    }

    @Test func aFlatFolderOfMasksMayHaveThePathsAsNames() throws {
        let road = try road("ct/pat1/ct.nii.gz", "ct/pat2/ct.nii.gz", "m/pat1_ct.nii.gz", "m/pat2_ct.mha")
        defer { road.remove() }
        #expect(try pairs(road) == ["pat1/ct": "pat1_ct.nii.gz", "pat2/ct": "pat2_ct.mha"])
    }

    @Test func whatCouldBeTwoMasksIsNone() throws {
        let road = try road("ct/pat1/ct.nii.gz", "ct/pat2/ct.nii.gz", "m/ct.nii.gz")
        defer { road.remove() }
        #expect(try pairs(road) == ["pat1/ct": "refused", "pat2/ct": "refused"])
        let twins = try self.road("ct/a.nii.gz", "m/a.nii.gz", "m/a.mha")
        defer { twins.remove() }
        #expect(try pairs(twins) == ["a": "refused"])
        let cases = try self.road("ct/Scan.nii.gz", "ct/scan.nii.gz", "m/SCAN.nii.gz")
        defer { cases.remove() }
        #expect(try pairs(cases) == ["Scan": "refused", "scan": "refused"])
    }

    @Test func aBlankIsNoUnderscore() throws {
        let road = try road("ct/a b.nii.gz", "ct/a_b.nii.gz", "m/a_b.nii.gz")
        defer { road.remove() }
        #expect(try pairs(road) == ["a b": "refused", "a_b": "a_b.nii.gz"])
    }

    @Test func nnUNetsChannelAndTheCaseAreNoDifference() throws {
        let road = try road(
            "ct/case_001_0000.nii.gz", "ct/Case2.NII.GZ", "ct/Mu\u{308}ller.nii.gz", "m/case_001.nii.gz",
            "m/case2.nii.gz", "m/M\u{FC}ller.nii.gz")
        defer { road.remove() }
        #expect(try pairs(road) == [
            "case_001_0000": "case_001.nii.gz", "Case2": "case2.nii.gz", "Müller": "M\u{FC}ller.nii.gz",
        ])
    }

    @Test func theFolderOfTheCTsIsNoFolderOfMasks() throws {
        let road = try road("ct/a.nii.gz")
        defer { road.remove() }
        try road.link("m", to: "ct")
        #expect(try pairs(road) == ["a": "refused"])
    }

    @Test func aTableOfPairsKnowsAnyLayout() throws {
        let road = try road("s0001/ct.nii.gz", "s0001/seg/lung.nii.gz", "s0002/ct.nii.gz", "s0003/ct.nii.gz")
        defer { road.remove() }
        let table = "ct,mask\r\n\"s0001/ct.nii.gz\",s0001/seg/lung.nii.gz\r\ns0002/ct.nii.gz,\r\n"
        try Data(table.utf8).write(to: URL(fileURLWithPath: road.path("pairs.csv")))
        let pairs = try PairTable(road.path("pairs.csv"))
        let archive = try pairs.archive()
        #expect(archive.items.map(\.name) == ["s0001/ct", "s0002/ct"])
        let masks = MaskPairing(pairs, archive: archive)
        #expect(try masks.mask(for: archive.items[0]) == road.path("s0001/seg/lung.nii.gz"))
        #expect(try masks.mask(for: archive.items[1]) == nil)
        let all = try Archive([road.path("s0003")])
        #expect(throws: Archive.Refusal.self) { try MaskPairing(pairs, archive: all).mask(for: all.items[0]) }
        for broken in ["ct\na", "ct,mask\nnowhere.nii.gz,x", "ct,mask\ns0001/ct.nii.gz,\ns0001/../s0001/ct.nii.gz,"] {
            try Data(broken.utf8).write(to: URL(fileURLWithPath: road.path("pairs.csv")))
            #expect(throws: UsageError.self) { try PairTable(road.path("pairs.csv")) }
        }
    }
}

extension Road {
    /// An empty file, with the folders above it.
    func touch(_ relative: String) throws {
        try FileManager.default.createDirectory(
            atPath: (path(relative) as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        #expect(FileManager.default.createFile(atPath: path(relative), contents: Data()))
    }

    func link(_ relative: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: path(relative), withDestinationPath: path(target))
    }
}
