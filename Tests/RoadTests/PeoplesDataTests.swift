import Foundation
import Platform
import TestSupport
import Testing
import quintet

/// Nothing is overwritten that quintet did not write, no finished run is replaced, no changed file is used.
@Suite(.serialized) struct PeoplesDataTests {
    static let network = [
        "--slab", "8", "--channels", "4,8", "--strides", "2", "--batch", "1", "--replicas", "2", "--threshold", "0.5",
    ]

    /// Two healthy and two diseased phantoms, and "data".
    private func prepared() throws -> Road {
        let road = try Road()
        try road.succeed(
            "phantom", "--out", "ph", "--count", "2", "--diseased", "2", "--spacing", "6,5,5", "--quiet")
        try road.succeed(
            "prepare", "ph/healthy", "--masks", "ph/lungs", "--out", "data", "--preset", "demo", "--spacing", "8,7,7",
            "--plane", "32,48", "--quiet")
        return road
    }

    private func train(
        _ road: Road, _ run: String = "run", iterations: String = "6", _ more: String...
    ) throws -> Road.Outcome {
        try road.start(
            ["train", "--data", "data", "--run", run, "--quiet", "--iterations", iterations] + Self.network + more
        ).wait()
    }

    private func segment(_ road: Road, _ input: String, _ out: String, _ more: String...) throws -> Road.Outcome {
        try road.start(["segment", "--run", "run", "--in", input, "--out", out, "--quiet"] + more).wait()
    }

    @Test func anOutputNeverReplacesAnInputAndOwnAnswersAreNoInputs() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try train(road).code == 0)
        try FileManager.default.copyItem(atPath: road.path("ph/diseased"), toPath: road.path("cts"))
        try FileManager.default.copyItem(
            atPath: road.path("cts/diseased-00.nii.gz"), toPath: road.path("ct.nii.gz"))
        let before = road.bytes("ct.nii.gz")
        let same = try segment(road, "ct.nii.gz", ".")
        #expect(same.code == 1 && same.errors.contains("is the input ct.nii.gz"), "\(same.errors)")
        // The same file under another name.
        try FileManager.default.createDirectory(atPath: road.path("linked"), withIntermediateDirectories: false)
        #expect(link(road.path("ct.nii.gz"), road.path("linked/ct.nii.gz")) == 0)
        let linked = try segment(road, "ct.nii.gz", "linked", "--overwrite")
        #expect(linked.code == 1 && linked.errors.contains("is the input"), "\(linked.errors)")
        let inside = try segment(road, "cts", "cts/masks")
        #expect(inside.code == 1 && inside.errors.contains("outside of the archive"), "\(inside.errors)")
        #expect(!FileManager.default.fileExists(atPath: road.path("cts/masks")))
        #expect(road.bytes("ct.nii.gz") == before && !FileManager.default.fileExists(atPath: road.path("lungs")))
        #expect(try segment(road, "cts", "masks").code == 0)
        #expect(try segment(road, "masks", "again").code == 2)
        let preparing = try road.run("prepare", "cts", "--out", "cts", "--preset", "demo")
        #expect(preparing.code == 1 && preparing.errors.contains("outside of the archive"), "\(preparing.errors)")
    }

    @Test func whatQuintetDidNotWriteStays() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try train(road).code == 0)
        try road.touch("masks/diseased-00.nii.gz")
        let first = try segment(road, "ph/diseased", "masks")
        #expect(first.code == 1 && first.errors.contains("diseased-00.nii.gz: there already"), "\(first.errors)")
        #expect(road.bytes("masks/diseased-00.nii.gz")?.isEmpty == true && road.bytes("masks/archive.csv") == nil)
        #expect(try segment(road, "ph/diseased", "masks", "--overwrite").code == 0)
        // Again: what is there is quintet's own by now.
        #expect(try segment(road, "ph/diseased", "masks").code == 0)
        // Somebody has corrected an answer by hand.
        try Data("corrected".utf8).write(to: URL(fileURLWithPath: road.path("masks/diseased-01.nii.gz")))
        #expect(try segment(road, "ph/diseased", "masks").code == 1)
        #expect(road.bytes("masks/diseased-01.nii.gz") == Data("corrected".utf8))
        try road.touch("mine/run/weights")
        let demo = try road.run("demo", "--out", "mine")
        #expect(demo.code == 1 && demo.errors.contains("mine/run"), "\(demo.errors)")
        // A demo of quintet's own, with a file that somebody has put there since.
        try road.touch("mine/.quintet-demo")
        let again = try road.run("demo", "--out", "mine")
        #expect(again.code == 1 && again.errors.contains("mine/run/weights"), "\(again.errors)")
        #expect(road.bytes("mine/run/weights") != nil)
    }

    @Test func theTableKeepsEarlierRowsAndAnswersOfOtherSettingsDoNotMix() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try train(road).code == 0)
        #expect(try segment(road, "ph/diseased/diseased-00.nii.gz", "masks").code == 0)
        let first = String(decoding: road.bytes("masks/archive.csv") ?? Data(), as: UTF8.self)
        #expect(try segment(road, "ph/diseased/diseased-01.nii.gz", "masks").code == 0)
        let both = String(decoding: road.bytes("masks/archive.csv") ?? Data(), as: UTF8.self)
        #expect(both.hasPrefix(first) && both.split(separator: "\n").count == 3, "\(both)")
        let other = try segment(road, "ph/diseased", "masks", "--threshold", "0.25")
        #expect(other.code == 1 && other.errors.contains("healthyThreshold 0.5 -> 0.25"), "\(other.errors)")
    }

    /// A loop over patients' folders that all hold a ct.nii.gz.
    @Test func anAnswerBelongsToOneCTForGood() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try train(road).code == 0)
        for (patient, ct) in [("p1", "diseased-00"), ("p2", "diseased-01")] {
            try FileManager.default.createDirectory(atPath: road.path(patient), withIntermediateDirectories: false)
            try FileManager.default.copyItem(
                atPath: road.path("ph/diseased/\(ct).nii.gz"), toPath: road.path("\(patient)/ct.nii.gz"))
        }
        #expect(try segment(road, "p1", "masks").code == 0)
        let first = road.bytes("masks/ct.nii.gz")
        let second = try segment(road, "p2", "masks")
        #expect(second.code == 1 && second.errors.contains("another CT of this name"), "\(second.errors)")
        #expect(road.bytes("masks/ct.nii.gz") == first)
        let table = String(decoding: road.bytes("masks/archive.csv") ?? Data(), as: UTF8.self)
        let rows = CSV.rows(table).filter { $0.first == "ct" }
        let source = try #require(CSV.rows(table).first?.firstIndex(of: "source"))
        #expect(rows.count == 1 && rows[0][source] == "p1/ct.nii.gz" && !rows[0][1].isEmpty, "\(table)")
        // The same bytes elsewhere, and other bytes at the same place, are the same CT.
        try FileManager.default.moveItem(atPath: road.path("p1"), toPath: road.path("moved"))
        #expect(try segment(road, "moved", "masks").code == 0)
        try FileManager.default.removeItem(atPath: road.path("moved/ct.nii.gz"))
        try FileManager.default.copyItem(
            atPath: road.path("p2/ct.nii.gz"), toPath: road.path("moved/ct.nii.gz"))
        #expect(try segment(road, "moved", "masks").code == 0)
        #expect(road.bytes("masks/ct.nii.gz") != first)
    }

    @Test func everyCommandKeepsToItsOwnFoldersAndSettings() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try train(road).code == 0)
        #expect(try segment(road, "ph/diseased", "masks").code == 0)
        let lung = road.bytes("masks/lungs/diseased-00.nii.gz")
        for (words, said) in [
            (["phantom", "--out", "masks", "--overwrite"], "what quintet segment wrote"),
            (["phantom", "--out", "ph", "--seed", "3", "--spacing", "6,5,5"], "seed 1"),
            (["prepare", "ph/diseased", "--out", "data", "--preset", "demo"], "data set of other CTs"),
            (["prepare", "ph/healthy", "--out", "data", "--preset", "lab"], "preset demo"),
            (["lesions", "--data", "data", "--out", "run"], "what quintet train wrote"),
            (
                [
                    "vote", "--votes", "masks/diseased-00.nii.gz", "--ct", "ph/diseased/diseased-00.nii.gz", "--mask",
                    "masks/lungs/diseased-00.nii.gz", "--out", "vote",
                ], "an answer of quintet segment"
            ),
        ] {
            let outcome = try road.start(words).wait()
            #expect(outcome.code == 1 && outcome.errors.contains(said), "\(words): \(outcome.errors)")
        }
        #expect(road.bytes("masks/lungs/diseased-00.nii.gz") == lung)
        // A variable of a script that was never set.
        let empty = try road.run("phantom", "--out", "")
        #expect(empty.code == 2 && empty.errors.contains("--out is empty"), "\(empty.errors)")
    }

    @Test func whatWasRefusedIsNotEvaluatedByAnEarlierAnswer() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try train(road).code == 0)
        try FileManager.default.copyItem(atPath: road.path("ph/diseased"), toPath: road.path("cts"))
        #expect(try segment(road, "cts", "masks").code == 0)
        try Data("broken".utf8).write(to: URL(fileURLWithPath: road.path("cts/diseased-00.nii.gz")))
        #expect(try segment(road, "cts", "masks").code == 3)
        let outcome = try road.run("evaluate", "--pred", "masks", "--truth", "ph/lesions")
        #expect(outcome.code == 3 && outcome.errors.contains("its CT was refused"), "\(outcome.errors)")
        #expect(outcome.output.contains("n = 1"), "\(outcome.output)")
    }

    @Test func aTableOfSlicesIsReadAsPeopleWriteIt() throws {
        let road = try prepared()
        defer { road.remove() }
        func excluded(_ table: String, _ out: String) throws -> (code: Int32, count: Int, errors: String) {
            try Data(table.utf8).write(to: URL(fileURLWithPath: road.path("slices.csv")))
            let outcome = try road.run(
                "prepare", "ph/healthy/healthy-00.nii.gz", "--out", out, "--preset", "demo", "--json", "--leave-out",
                "slices.csv")
            let json = try? JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
            let volume = (json?["volumes"] as? [[String: Any]])?.first
            return (outcome.code, (volume?["excludedSlices"] as? [Int])?.count ?? -1, outcome.errors)
        }
        // As pandas writes them: only the first is a finding.
        let numbers = try excluded("slice_z,lesion\n20,1\n30,0\n", "a")
        #expect(numbers.code == 0 && numbers.count > 0, "\(numbers)")
        #expect(try excluded("slice_z,lesion\n20,True\n30,False\n", "b").count == numbers.count)
        #expect(try excluded("slice_z,findings\n20,yes\n30,no\n", "c").count == numbers.count)
        let unclear = try excluded("slice_z,lesion\n20,True\n30,\n", "d")
        #expect(unclear.code == 2 && unclear.errors.contains("line 3"), "\(unclear)")
    }

    @Test func aFinishedRunIsNotReplacedAndGoesOnWhenAsked() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try train(road).code == 0)
        let weights = road.bytes("run/replica-0.safetensors")
        let again = try road.start(
            ["train", "--data", "data", "--run", "run", "--iterations", "6"] + Self.network).wait()
        #expect(again.code == 0 && again.errors.contains("already"), "\(again.errors)")
        for (words, difference) in [
            (["--seed", "2"], "seed 1 -> 2"), (["--replicas", "1"], "replicaCount 2 -> 1"),
            (["--batch", "2"], "batch 1 -> 2"), (["--iterations", "7"], "iterations 6 -> 7"),
        ] {
            // An option that is given twice is refused: the first goes where the second stands.
            var all = ["train", "--data", "data", "--run", "run", "--iterations", "6"] + Self.network
            if let place = all.firstIndex(of: words[0]) { all.removeSubrange(place...(place + 1)) }
            let other = try road.start(all + words).wait()
            #expect(other.code == 1 && other.errors.contains(difference), "\(other.errors)")
            #expect(other.errors.contains("--overwrite") && other.errors.contains("--extend"))
        }
        #expect(road.bytes("run/replica-0.safetensors") == weights)
        #expect(try train(road, "longer", iterations: "10").code == 0)
        try road.succeed("train", "--data", "data", "--run", "run", "--extend", "10", "--quiet")
        for file in ["replica-0.safetensors", "replica-1.safetensors"] {
            #expect(road.bytes("run/\(file)") == road.bytes("longer/\(file)"), "\(file)")
        }
        // Of the ten iterations, those before were not trained again: each has one row, as in one go.
        let rows = String(decoding: road.bytes("run/metrics.csv") ?? Data(), as: UTF8.self)
        #expect(rows.split(separator: "\n").count == 1 + 2 * 10)
        #expect(try train(road, "run", iterations: "3", "--overwrite").code == 0)
        #expect(road.bytes("run/replica-0.safetensors") != road.bytes("longer/replica-0.safetensors"))
    }

    @Test func foldersThatAreNoRunsAreRefused() throws {
        let road = try prepared()
        defer { road.remove() }
        try road.touch("thesis/chapter-1.tex")
        for (folder, words) in [("data", "data set"), ("ph", "no run"), ("thesis", "no run")] {
            let outcome = try train(road, folder)
            #expect(outcome.code == 1 && outcome.errors.contains(words), "\(outcome.errors)")
        }
        #expect(!FileManager.default.fileExists(atPath: road.path("thesis/run.json")))
    }

    @Test func anInterruptedRunWithOtherSettingsSaysSo() throws {
        let road = try prepared()
        defer { road.remove() }
        let first = try road.start(
            ["train", "--data", "data", "--run", "run", "--iterations", "100000"] + Self.network)
        #expect(wait { road.bytes("run/.quintet-request.json") != nil })
        first.signal(SIGINT)
        let stopped = first.wait()
        #expect(stopped.code == 130 && stopped.errors.contains("the same command goes on"), "\(stopped.errors)")
        let other = try train(road, "run", iterations: "3")
        #expect(other.code == 1 && other.errors.contains("iterations 100000 -> 3"), "\(other.errors)")
        #expect(try train(road, "run", iterations: "3", "--overwrite").code == 0)
    }

    @Test func ofTwoClientsOnOneFolderTheSecondIsRefused() throws {
        let road = try prepared()
        defer { road.remove() }
        let words = ["train", "--data", "data", "--run", "run", "--iterations", "100000"] + Self.network
        let first = try road.start(words)
        #expect(wait { road.bytes("run/.quintet-in-use") != nil })
        let second = try road.start(words).wait()
        #expect(second.code == 1 && second.errors.contains("in use"), "\(second.errors)")
        first.signal(SIGINT)
        #expect(first.wait().code == 130)
    }

    @Test func changedFilesAreNamed() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try train(road).code == 0)
        let one = try #require(road.bytes("run/replica-0.safetensors"))
        let other = try #require(road.bytes("run/replica-1.safetensors"))
        try other.write(to: URL(fileURLWithPath: road.path("run/replica-0.safetensors")))
        let swapped = try segment(road, "ph/diseased", "masks")
        #expect(swapped.code == 1 && swapped.errors.contains("replica-0.safetensors"), "\(swapped.errors)")
        try one.write(to: URL(fileURLWithPath: road.path("run/replica-0.safetensors")))
        #expect(try segment(road, "ph/diseased", "masks").code == 0)
        let image = try #require(road.bytes("data/healthy-01.image.nii.gz"))
        try image.write(to: URL(fileURLWithPath: road.path("data/healthy-00.image.nii.gz")))
        for outcome in [
            try train(road, "other"), try road.run("lesions", "--data", "data", "--out", "pairs", "--count", "1"),
        ] {
            #expect(outcome.code == 1 && outcome.errors.contains("data/healthy-00.image.nii.gz has changed"))
        }
    }

    @Test func filesAreAsReadableAsAnyOthers() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try train(road).code == 0)
        #expect(try segment(road, "ph/diseased", "masks").code == 0)
        let mask = umask(0o022)
        umask(mask)
        for file in ["run/replica-0.safetensors", "run/run.json", "masks/diseased-00.nii.gz", "data/dataset.json"] {
            #expect(try FileSystem.mode(of: road.path(file)) == UInt32(0o666 & ~mask), "\(file)")
        }
        #expect(try FileSystem.mode(of: road.path("run/.quintet")) == 0o700)
    }

    /// A spacing so fine that one phantom takes longer than a person waits.
    @Test(arguments: [
        (["phantom", "--out", "fine", "--count", "3", "--diseased", "0", "--spacing", "0.7,0.7,0.7"], "fine"),
        (["demo", "--out", "demo"], "demo/phantoms"),
    ])
    func aCommandThatIsStoppedEndsAndLeavesNothingHalfWritten(words: [String], folder: String) throws {
        let road = try Road()
        defer { road.remove() }
        let program = try road.start(words)
        // It is at the first phantom, which takes seconds.
        #expect(wait { road.bytes("\(folder)/.quintet-in-use") != nil || !program.isRunning })
        program.signal(SIGINT)
        // To the process and to its group.
        program.signal(SIGINT)
        let outcome = program.wait()
        #expect(outcome.code == 130 && outcome.errors.contains("interrupted"), "\(outcome.errors)")
        let files = FileManager.default.enumerator(atPath: road.path(words[2]))?.allObjects as? [String] ?? []
        let leftOver = [".tmp", ".partial", ".quintet-in-use"]
        #expect(!files.contains { file in leftOver.contains { file.hasSuffix($0) } }, "\(files)")
    }
}
