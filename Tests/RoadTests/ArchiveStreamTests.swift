import Coordinator
import Foundation
import Platform
import TestSupport
import Testing
import quintet

/// An archive that grows, moves, is damaged and is left in the middle: what has its answer is not done again, and what
/// has not is.
@Suite(.serialized) struct ArchiveStreamTests {
    /// Two healthy and four diseased phantoms, "data" and "run".
    private func prepared() throws -> Road {
        let road = try Road()
        try road.prepareSmallData(diseasedCount: 4)
        let train = ["train", "--data", "data", "--run", "run", "--quiet", "--iterations", "6"]
        #expect(try road.start(train + PeoplesDataTests.network).wait().code == 0)
        return road
    }

    private func segment(_ road: Road, _ input: String, _ out: String, _ more: String...) throws -> Road.Outcome {
        try road.start(["segment", "--run", "run", "--in", input, "--out", out] + more).wait()
    }

    private func computed(_ outcome: Road.Outcome) -> Int? {
        outcome.errors.split(separator: "computed ").last.flatMap { Int($0.prefix { $0.isNumber }) }
    }

    private func move(_ road: Road, _ from: String, _ to: String) throws {
        try FileManager.default.createDirectory(
            atPath: FileSystem.folder(of: road.path(to)), withIntermediateDirectories: true)
        try FileManager.default.moveItem(atPath: road.path(from), toPath: road.path(to))
    }

    /// Without it a growing archive is another run each day, and a moved patient costs an hour.
    @Test func onlyWhatIsNewIsComputed() throws {
        let road = try prepared()
        defer { road.remove() }
        try move(road, "phantoms/diseased/diseased-03.nii.gz", "later/diseased-03.nii.gz")
        // Settled: a file that was written in this very moment is read again, to be safe.
        MonotonicClock.sleep(milliseconds: 2_100)
        let limited = try segment(road, "phantoms/diseased", "masks", "--limit", "2")
        #expect(limited.code == 0 && computed(limited) == 2, "\(limited.errors)")
        let preview = try segment(road, "phantoms/diseased", "masks", "--dry-run", "--json")
        #expect(preview.output.contains("\"doneCount\" : 2") && preview.output.contains("\"toDoCount\" : 1"))
        #expect(computed(try segment(road, "phantoms/diseased", "masks")) == 1)
        #expect(computed(try segment(road, "phantoms/diseased", "masks")) == 0)
        // One more, one moved, one copied.
        let answer = road.bytes("masks/diseased-00.nii.gz")
        try move(road, "later/diseased-03.nii.gz", "phantoms/diseased/diseased-03.nii.gz")
        try move(road, "phantoms/diseased/diseased-00.nii.gz", "phantoms/diseased/pat/moved.nii.gz")
        try FileManager.default.copyItem(
            atPath: road.path("phantoms/diseased/diseased-01.nii.gz"),
            toPath: road.path("phantoms/diseased/copy.nii.gz"))
        let grown = try segment(road, "phantoms/diseased", "masks", "--sqlite")
        #expect(computed(grown) == 1, "\(grown.errors)")
        #expect(answer != nil && road.bytes("masks/pat/moved.nii.gz") == answer)
        #expect(road.bytes("masks/copy.nii.gz") == road.bytes("masks/diseased-01.nii.gz"))
        let table = String(decoding: road.bytes("masks/archive.csv") ?? Data(), as: UTF8.self)
        let names = table.split(separator: "\n").dropFirst().map { $0.prefix { $0 != "," } }
        #expect(names == ["\"copy\"", "\"diseased-00\"", "\"diseased-01\"", "\"diseased-02\"", "\"diseased-03\"",
            "\"pat/moved\""])
        #expect(FileManager.default.fileExists(atPath: road.path("masks/archive.sqlite")))
        // The page names every one of them, and its pictures are there.
        let page = String(decoding: road.bytes("masks/report.html") ?? Data(), as: UTF8.self)
        for name in ["copy", "diseased-02", "pat/moved"] { #expect(page.contains(">\(name)</a>"), "\(name)") }
        let pictures = page.matches(of: /src="(report-pictures\/[^"]+)"/).map { String($0.output.1) }
        #expect(!pictures.isEmpty && pictures.allSatisfy { road.bytes("masks/\($0)") != nil })
    }

    /// A cut file is no answer; a changed one is somebody's work.
    @Test func aTruncatedAnswerIsMadeAgain() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try segment(road, "phantoms/diseased", "masks").code == 0)
        let whole = try #require(road.bytes("masks/diseased-02.nii.gz"))
        try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: road.path("masks/diseased-02.nii.gz")))
        try FileManager.default.removeItem(atPath: road.path("masks/lungs/diseased-01.nii.gz"))
        let again = try segment(road, "phantoms/diseased", "masks")
        #expect(again.code == 0 && computed(again) == 2, "\(again.errors)")
        #expect(road.bytes("masks/diseased-02.nii.gz") == whole)
        #expect(road.bytes("masks/lungs/diseased-01.nii.gz") != nil)
    }

    /// Killed with rows added to its table: the same command knows them for its own; a person's note in it stays.
    @Test func aKilledCommandGoesOnAndANoteInTheTableStays() throws {
        let road = try prepared()
        defer { road.remove() }
        func rows() -> Int {
            String(decoding: road.bytes("masks/archive.csv") ?? Data(), as: UTF8.self).split(separator: "\n").count - 1
        }
        let words = ["segment", "--run", "run", "--in", "phantoms/diseased", "--out", "masks", "--threads", "1"]
        let program = try road.start(words)
        #expect(wait(seconds: 60) { rows() >= 1 })
        program.signal(SIGKILL)
        _ = program.wait()
        let again = try road.start(words).wait()
        #expect(again.code == 0 && rows() == 4, "\(again.errors)")
        #expect(try #require(computed(again)) < 4)
        let table = String(decoding: road.bytes("masks/archive.csv") ?? Data(), as: UTF8.self)
        let noted = Data((table + "\"my note\"\n").utf8)
        try noted.write(to: URL(fileURLWithPath: road.path("masks/archive.csv")))
        let refused = try segment(road, "phantoms/diseased", "masks")
        #expect(refused.code == 1 && refused.errors.contains("archive.csv"), "\(refused.errors)")
        #expect(road.bytes("masks/archive.csv") == noted)
    }

    /// What was refused is not tried again unless somebody asks, and never hides what is good.
    @Test func refusedOnesAreTriedAgainWhenAsked() throws {
        let road = try prepared()
        defer { road.remove() }
        // A header of a CT without a chest: refused by the worker, by its content.
        let empty = try road.start([
            "segment", "--run", "run", "--list", "list.txt", "--out", "masks",
        ])
        #expect(empty.wait().code == 2)
        let lines = [
            "phantoms/diseased/diseased-00.nii.gz", "# a word", "phantoms/diseased/diseased-01.nii.gz",
            "phantoms/lungs/diseased-02.nii.gz", "",
        ]
        try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: road.path("list.txt")))
        let first = try road.start(["segment", "--run", "run", "--list", "list.txt", "--out", "masks"]).wait()
        #expect(first.code == 3 && computed(first) == 2, "\(first.errors)")
        #expect(first.errors.contains("refused: ") && first.errors.contains("lungs/diseased-02"))
        let second = try road.start(["segment", "--run", "run", "--list", "list.txt", "--out", "masks"]).wait()
        #expect(second.code == 3 && computed(second) == 0 && second.errors.contains("lungs/diseased-02"))
        let third = try road.start([
            "segment", "--run", "run", "--list", "list.txt", "--out", "masks", "--retry-failed",
        ]).wait()
        #expect(third.code == 3 && computed(third) == 0 && third.errors.contains("lungs/diseased-02"))
    }

    /// Values that are read otherwise are another CT: what was answered before must not stand for it.
    @Test func anAnswerIsKnownByHowItsCTIsReadToo() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(computed(try segment(road, "phantoms/diseased", "masks", "--limit", "1")) == 1)
        let added = try segment(road, "phantoms/diseased", "masks", "--limit", "1", "--add-hu", "5")
        #expect(added.code == 0 && computed(added) == 1, "\(added.errors)")
        let table = CSV.rows(String(decoding: road.bytes("masks/archive.csv") ?? Data(), as: UTF8.self))
        let column = try #require(table.first?.firstIndex(of: "add_hu"))
        #expect(table.dropFirst().map { $0[column] } == ["5.0"])
    }

    /// A refusal of one patient's CT must not make room for it where another patient's answer lies.
    @Test func aRefusedCTDoesNotTakeANameFromAnother() throws {
        let road = try prepared()
        defer { road.remove() }
        for (patient, ct) in [("p1", "diseased-00"), ("p2", "diseased-01")] {
            try FileManager.default.createDirectory(atPath: road.path(patient), withIntermediateDirectories: false)
            try FileManager.default.copyItem(
                atPath: road.path("phantoms/diseased/\(ct).nii.gz"), toPath: road.path("\(patient)/ct.nii.gz"))
        }
        #expect(try segment(road, "p1", "masks").code == 0)
        let first = try #require(road.bytes("masks/ct.nii.gz")), whole = try #require(road.bytes("p2/ct.nii.gz"))
        try Data("no CT".utf8).write(to: URL(fileURLWithPath: road.path("p2/ct.nii.gz")))
        #expect(try segment(road, "p2", "masks").code == 1)
        try whole.write(to: URL(fileURLWithPath: road.path("p2/ct.nii.gz")))
        let second = try segment(road, "p2", "masks")
        #expect(second.code == 1 && second.errors.contains("another CT of this name"), "\(second.errors)")
        #expect(road.bytes("masks/ct.nii.gz") == first)
        let rows = CSV.rows(String(decoding: road.bytes("masks/archive.csv") ?? Data(), as: UTF8.self))
        #expect(rows.filter { $0.first == "ct" }.map { $0.contains("p1/ct.nii.gz") } == [true])
    }

    /// A coordinator without workers; a client that is killed once it has sent all; the CT's file then holds another
    /// scan. What comes of the first one must not be taken for the second.
    @Test func anAnswerOnItsWayToACTThatHasChangedIsDropped() throws {
        let road = try prepared()
        defer { road.remove() }
        let coordinator = try road.start([
            "coordinator", "--state", "state", "--listen", "127.0.0.1:0", "--port-file", "port",
        ])
        let port = try HostileCluster.port(in: road, coordinator)
        try FileManager.default.createDirectory(atPath: road.path("cts"), withIntermediateDirectories: false)
        func put(_ ct: String) throws {
            try #require(road.bytes("phantoms/diseased/\(ct).nii.gz"))
                .write(to: URL(fileURLWithPath: road.path("cts/ct.nii.gz")))
        }
        let words = [
            "segment", "--run", "run", "--in", "cts", "--out", "masks", "--coordinator", "127.0.0.1:\(port)",
        ]
        let client = try CoordinatorClient(address: NetworkAddress(host: "127.0.0.1", port: port))
        func sent(_ count: Int) throws -> Bool { try client.status().runs.contains { $0.volumeCount == count } }
        try put("diseased-00")
        let killed = try road.start(words)
        #expect(try wait { try sent(1) })
        killed.signal(SIGKILL)
        _ = killed.wait()
        try put("diseased-01")
        let again = try road.start(words)
        #expect(try wait { try sent(2) })
        let worker = try road.start(["worker", "--coordinator", "127.0.0.1:\(port)", "--cache", "cache"])
        let outcome = again.wait()
        _ = (worker.stop(), coordinator.stop())
        #expect(outcome.code == 0 && computed(outcome) == 1, "\(outcome.errors)")
        #expect(try segment(road, "phantoms/diseased", "plain").code == 0)
        #expect(road.bytes("masks/ct.nii.gz") != nil)
        #expect(road.bytes("masks/ct.nii.gz") == road.bytes("plain/diseased-01.nii.gz"))
    }

    /// With `--shared`: nothing of a CT lies at the coordinator, and the answers have the bytes that they always have.
    @Test func aSharedFileSystemCarriesCTsAndAnswers() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try segment(road, "phantoms/diseased", "plain").code == 0)
        let coordinator = try road.start([
            "coordinator", "--state", "state", "--listen", "127.0.0.1:0", "--port-file", "port",
        ])
        let address = "127.0.0.1:\(try HostileCluster.port(in: road, coordinator))"
        let worker = try road.start([
            "worker", "--coordinator", address, "--cache", "cache", "--shared", road.folder,
        ])
        let outcome = try segment(
            road, "phantoms/diseased", "masks", "--coordinator", address, "--shared", road.folder)
        #expect(outcome.code == 0 && computed(outcome) == 4, "\(outcome.errors)")
        for name in (0..<4).map({ "diseased-0\($0).nii.gz" }) {
            for folder in ["", "without-growing/", "lungs/"] {
                #expect(road.bytes("masks/\(folder)\(name)") != nil)
                #expect(road.bytes("masks/\(folder)\(name)") == road.bytes("plain/\(folder)\(name)"))
            }
        }
        #expect(!FileManager.default.fileExists(atPath: road.path("masks/.quintet-answers")))
        let store = try Database(path: road.path("state/state.sqlite"))
        var sharedCount = 0
        try store.query("SELECT count(*) FROM works WHERE is_shared") { sharedCount = $0.int(0) }
        store.close()
        #expect(sharedCount == 4)
        // A worker that does not see the files is sent them.
        _ = worker.stop()
        let blind = try road.start(["worker", "--coordinator", address, "--cache", "cache-blind"])
        let over = try segment(
            road, "phantoms/diseased", "masks-blind", "--coordinator", address, "--shared", road.folder)
        _ = (blind.stop(), coordinator.stop())
        #expect(over.code == 0 && computed(over) == 4, "\(over.errors)")
        #expect(road.bytes("masks-blind/diseased-02.nii.gz") == road.bytes("plain/diseased-02.nii.gz"))
    }

    /// A scanner's folder: answered as CTs appear, and what still grows is waited for.
    @Test func aWatchedFolderIsAnsweredAsItFills() throws {
        let road = try prepared()
        defer { road.remove() }
        try FileManager.default.createDirectory(atPath: road.path("drop"), withIntermediateDirectories: false)
        let program = try road.start(["segment", "--run", "run", "--in", "drop", "--out", "masks", "--watch"])
        func hasRow(_ name: String) -> Bool {
            String(decoding: road.bytes("masks/archive.csv") ?? Data(), as: UTF8.self).contains("\n\"\(name)\",")
        }
        try FileManager.default.copyItem(
            atPath: road.path("phantoms/diseased/diseased-00.nii.gz"), toPath: road.path("drop/a.nii.gz"))
        #expect(wait(seconds: 90) { hasRow("a") })
        // Half of it first.
        let whole = try #require(road.bytes("phantoms/diseased/diseased-01.nii.gz"))
        try whole.prefix(1000).write(to: URL(fileURLWithPath: road.path("drop/b.nii.gz")))
        MonotonicClock.sleep(milliseconds: 3_000)
        try whole.write(to: URL(fileURLWithPath: road.path("drop/b.nii.gz")))
        #expect(wait(seconds: 90) { hasRow("b") })
        program.signal(SIGTERM)
        let outcome = program.wait()
        #expect(!outcome.errors.contains("refused"), "\(outcome.errors)")
        let table = String(decoding: road.bytes("masks/archive.csv") ?? Data(), as: UTF8.self)
        #expect(table.split(separator: "\n").count == 3)
    }
}
