import Foundation
import Testing
import quintet

/// `train --tensorboard`: every iteration's figures once, however often the command was said, stopped or cut off.
@Suite struct TensorBoardTests {
    @Test func curvesGoOnWithoutGapsAndDoubles() throws {
        let road = try Road()
        defer { road.remove() }
        try road.prepareSmallData()
        let command = ["train", "--data", "data", "--run", "run", "--quiet", "--tensorboard", "board"]
        let new = ["--replicas", "1", "--threshold", "0.5"]
        func train(_ words: [String]) throws -> Road.Outcome { try road.start(command + words).wait() }
        #expect(try train(new + ["--iterations", "9"]).code == 0)
        let folder = road.path("board/replica-0")
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).first)
        let file = "board/replica-0/\(name)"
        /// Points of the losses, and up to which iteration everything is whole.
        func points() throws -> [Int?] {
            let bytes = Array(try #require(road.bytes(file))), (byteCount, lastStep) = EventFile.whole(bytes)
            #expect(byteCount == bytes.count)
            let text = String(decoding: bytes, as: UTF8.self)
            return [text.components(separatedBy: "\n\u{4}loss").count - 1, lastStep]
        }
        #expect(try points() == [9, 9])
        // Cut in its last record, as a crash would leave it; the run is finished, and its figures stand in metrics.csv.
        let whole = try #require(road.bytes(file))
        try whole.dropLast(20).write(to: URL(fileURLWithPath: road.path(file)))
        #expect(try train(new + ["--iterations", "9"]).code == 0)
        #expect(try points() == [9, 9])
        #expect(try train(["--extend", "12"]).code == 0)
        #expect(try points() == [12, 12])
        // Curves of two trainings in one would be nobody's.
        let other = try road.run(
            "train", "--data", "data", "--run", "other", "--replicas", "1", "--threshold", "0.5", "--iterations", "2",
            "--seed", "7", "--tensorboard", "board", "--quiet")
        #expect(other.code == 1 && other.errors.contains("curves of another training"), "\(other.errors)")
        #expect(!FileManager.default.fileExists(atPath: road.path("other")))
    }
}
