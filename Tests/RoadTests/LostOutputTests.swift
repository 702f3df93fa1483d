import Foundation
import Platform
import Testing

/// Where results and log go to a place that takes nothing: a full disk, a closed pipe, a descriptor that is not there.
@Suite struct LostOutputTests {
    /// Runs a script in the road's folder, with $Q for the program. Returns its output and its exit code.
    private func shell(_ road: Road, _ script: String) throws -> (text: String, code: Int32) {
        let output = road.path("shell-output")
        try FileSystem.remove(output)
        let process = try ChildProcess(
            executable: "/bin/sh", arguments: ["-c", "cd \"$1\"; Q=$2; \(script)", "sh", road.folder, Road.program],
            output: .file(output))
        guard case .code(let code) = process.wait() else { return ("", -1) }
        return (try FileSystem.readText(output, byteCountMax: 1 << 20), code)
    }

    @Test func resultsThatCannotBeWrittenAreAFailure() throws {
        let road = try Road()
        defer { road.remove() }
        for command in ["--version", "--help", "train --help"] {
            let full = try shell(road, "$Q \(command) >/dev/full")
            #expect(full.code == 1, "\(command)")
            #expect(full.text == "quintet: not all results could be written to standard output: "
                + "No space left on device\n")
            #expect(try shell(road, "$Q \(command) >&- 2>/dev/full").code == 1, "\(command)")
        }
        // A wrong usage stays one.
        #expect(try shell(road, "$Q >/dev/full").code == 2)
    }

    @Test func aReaderThatHasLeftEndsTheProgramWithoutAWord() throws {
        let road = try Road()
        defer { road.remove() }
        // The pipe's other end is closed before the program begins.
        let outcome = try shell(road, "(sleep 1; $Q --help; echo $? >code) | true; cat code")
        #expect(outcome.text == "\(128 + SIGPIPE)\n")
    }

    /// A database that was opened as descriptor 2 would get the log's lines.
    @Test func aDescriptorThatIsNotThereIsNobodyElses() throws {
        let road = try Road()
        defer { road.remove() }
        try road.prepareSmallData()
        let outcome = try shell(road, """
            $Q train --data data --run run --replicas 1 --iterations 2 --channels 4,8 --strides 2 --batch 1 \
            --threshold 0.5 <&- >&- 2>&-
            """)
        #expect(outcome.code == 0)
        #expect(FileManager.default.fileExists(atPath: road.path("run/replica-0.safetensors")))
    }

    /// Coordinator, worker and client, each with its log on a full disk or a pipe that nobody reads.
    @Test(arguments: ["2>/dev/full", "2>&1 | true"])
    func aLogThatCannotBeWrittenCostsNoWork(log: String) throws {
        let road = try Road()
        defer { road.remove() }
        try road.prepareSmallData()
        let outcome = try shell(road, """
            ( $Q coordinator --state state --listen 127.0.0.1:0 --port-file port & echo $! >c.pid
              wait $!; echo coordinator $? >c.code ) \(log) &
            while [ ! -s port ]; do sleep 0.05; done
            ( $Q worker --coordinator 127.0.0.1:$(cat port) --threads 1 --cache cache & echo $! >w.pid
              wait $!; echo worker $? >w.code ) \(log) &
            ( $Q train --coordinator 127.0.0.1:$(cat port) --data data --run run --replicas 1 --iterations 2 \
              --channels 4,8 --strides 2 --batch 1 --threshold 0.5; echo train $? >t.code ) \(log)
            while [ ! -s t.code ]; do sleep 0.05; done
            kill -TERM $(cat w.pid); while [ ! -s w.code ]; do sleep 0.05; done
            kill -TERM $(cat c.pid); while [ ! -s c.code ]; do sleep 0.05; done
            cat t.code w.code c.code
            """)
        #expect(outcome.text == "train 0\nworker 0\ncoordinator 0\n")
    }
}
