import Foundation
import Testing

/// Bad input gets a message that names the file and says what to do; the others go on; exit code 3.
@Suite(.serialized) struct BadInputTests {
    private func phantoms() throws -> Road {
        let road = try Road()
        try road.succeed(
            "phantom", "--out", "phantoms", "--count", "2", "--diseased", "0", "--spacing", "6,5,5", "--quiet")
        return road
    }

    private func prepare(_ road: Road, _ more: String...) throws -> Road.Outcome {
        try road.start(
            [
                "prepare", "phantoms/healthy", "--out", "data", "--preset", "demo", "--spacing", "8,7,7", "--plane",
                "32,48",
            ] + more
        ).wait()
    }

    @Test func aMissingMaskIsNamedAndTheOthersGoOn() throws {
        let road = try phantoms()
        defer { road.remove() }
        try FileManager.default.removeItem(atPath: road.path("phantoms/lungs/healthy-01.nii.gz"))
        let outcome = try prepare(road, "--masks", "phantoms/lungs")
        #expect(outcome.code == 3)
        #expect(outcome.errors.contains("healthy-01.nii.gz") && outcome.errors.contains("--masks"))
        #expect(road.bytes("data/healthy-00.image.nii.gz") != nil)
    }

    @Test func anEmptyLungIsNamed() throws {
        let road = try phantoms()
        defer { road.remove() }
        // A healthy phantom's lesion mask is empty: as a lung mask it holds no lung.
        try road.succeed(
            "vote", "--votes", "phantoms/lungs/healthy-00.nii.gz", "--ct", "phantoms/healthy/healthy-00.nii.gz",
            "--mask", "phantoms/lungs/healthy-00.nii.gz", "--out", "vote")
        try? FileManager.default.removeItem(atPath: road.path("phantoms/lungs/healthy-01.nii.gz"))
        try FileManager.default.copyItem(
            atPath: road.path("vote/lesions.nii.gz"), toPath: road.path("phantoms/lungs/healthy-01.nii.gz"))
        let outcome = try prepare(road, "--masks", "phantoms/lungs")
        #expect(outcome.code == 3)
        #expect(outcome.errors.contains("healthy-01.nii.gz") && outcome.errors.contains("empty"))
    }

    @Test func aTruncatedFileAndAFileThatIsNoCTAreNamed() throws {
        let road = try phantoms()
        defer { road.remove() }
        let whole = try #require(road.bytes("phantoms/healthy/healthy-00.nii.gz"))
        try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: road.path("phantoms/healthy/cut.nii.gz")))
        try Data("dear diary".utf8).write(to: URL(fileURLWithPath: road.path("phantoms/healthy/diary.nii")))
        let outcome = try prepare(road)
        #expect(outcome.errors.contains("cut.nii.gz") && outcome.errors.contains("diary.nii"))
        #expect(outcome.code == 3, "\(outcome.errors)")
    }

    @Test func aFolderWithNothingInItIsNamed() throws {
        let road = try Road()
        defer { road.remove() }
        try FileManager.default.createDirectory(atPath: road.path("empty"), withIntermediateDirectories: true)
        let outcome = try road.run("prepare", "empty", "--out", "data")
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("empty") && outcome.errors.contains(".nii"))
    }

    @Test func aWrongPresetIsNamedWithThoseThereAre() throws {
        let road = try phantoms()
        defer { road.remove() }
        let unknown = try road.run("prepare", "phantoms/healthy", "--out", "data", "--preset", "paper-2")
        #expect(unknown.code == 2 && unknown.errors.contains("paper, lab, demo"))
        #expect(try prepare(road, "--masks", "phantoms/lungs").code == 0)
        let other = try road.run("train", "--data", "data", "--run", "run", "--preset", "lab")
        #expect(other.code == 1 && other.errors.contains("prepare") && other.errors.contains("lab"))
    }

    @Test func aWrongCommandLineEndsWithTwoAndSaysWhereHelpIs() throws {
        let road = try Road()
        defer { road.remove() }
        for words in [["trian"], ["train", "--dta", "x"], ["train"], ["vote", "--votes"], ["prepare", "nowhere"]] {
            let outcome = try road.start(words).wait()
            #expect(outcome.code == 2, "quintet \(words.joined(separator: " ")): \(outcome.errors)")
            #expect(outcome.errors.hasPrefix("quintet"))
        }
    }
}
