import Foundation
import TestSupport
import Testing

/// CSV and JSON from anywhere: refused with their name before anything is computed.
@Suite(.serialized) struct HostileDescriptionTests {
    private func road(_ file: String, _ bytes: some Sequence<UInt8>) throws -> Road {
        let road = try Road()
        for folder in ["run", "data", "cts"] {
            try FileManager.default.createDirectory(atPath: road.path(folder), withIntermediateDirectories: true)
        }
        // A name is enough: no CT is opened before the descriptions are read.
        for name in ["a", "b"] { try Data().write(to: URL(fileURLWithPath: road.path("cts/\(name).nii"))) }
        try Data(bytes).write(to: URL(fileURLWithPath: road.path(file)))
        return road
    }

    @Test func aTableOfSlicesThatIsNoneIsRefusedWithItsLine() throws {
        let long = String(repeating: "x", count: 100_000)
        let tables: [(text: String, word: String)] = [
            ("", "no column"), ("\n\n\n", "no column"), ("name,lesion\na,1\n", "no column"),
            ("\u{0}\u{1B}[2J", "no column"),
            ("name,slice\na,1\na,x\n", "line 3"), ("name,slice\na,-1\n", "line 2"), ("name,slice\na,1e9\n", "line 2"),
            ("name,slice\na,99999999999999999999\n", "line 2"), ("name,slice\na\n", "line 2"),
            ("slice,name\n3\n", "line 2"), ("slice,name\n3,\n", "line 2"), ("name,slice\n../../a,3\n", "../../a"),
            ("name,slice\n\u{1B}]0;x\u{7},3\n", "\\u001b]0;x\\u0007"), ("name,slice\n\(long),3\n", "xxx..."),
            ("slice\n3\n", "one CT"), (String(repeating: "a,", count: 3 << 20), "MiB"),
        ]
        for (text, word) in tables {
            let road = try road("slices.csv", text.utf8)
            defer { road.remove() }
            let outcome = try road.run("prepare", "cts", "--out", "data", "--leave-out", "slices.csv")
            #expect(outcome.code == 2 && outcome.errors.contains(word), "\(word): \(outcome.errors.prefix(500))")
            #expect(outcome.errors.utf8.count < 1_000 && !outcome.errors.contains("\u{1B}"))
        }
        let marked = try road("slices.csv", "\u{FEFF}slice;z,slice\r\n3,4\r\n".utf8)
        defer { marked.remove() }
        // Understood, and then there are two CTs.
        let outcome = try marked.run("prepare", "cts", "--out", "data", "--leave-out", "slices.csv")
        #expect(outcome.errors.contains("one CT"), "\(outcome.errors)")
    }

    private static let nonsense: [[UInt8]] = [
        [], Array("null".utf8), Array("[]".utf8), Array("{".utf8), [0xFF, 0xFE, 0x00],
        Array(String(repeating: "[", count: 100_000).utf8), Array(String(repeating: "{\"a\":", count: 100_000).utf8),
        Array("{\"format\":1e999,\"\u{1B}[2J\":\"\\u0000\"}".utf8), Array("{\"volumes\":\"\\u001b[2J\"}".utf8),
    ]

    @Test func aRunOrADataSetThatIsNoneIsRefusedByName() throws {
        for bytes in Self.nonsense {
            for (file, command) in [
                ("run/run.json", ["segment", "--run", "run", "--in", "cts", "--out", "masks"]),
                ("data/dataset.json", ["train", "--data", "data", "--run", "new"]),
                ("data/dataset.json", ["lesions", "--data", "data", "--out", "pairs"]),
            ] {
                let road = try road(file, bytes)
                defer { road.remove() }
                let outcome = try road.start(command).wait()
                #expect(outcome.code == 1, "\(bytes.prefix(20)): \(outcome.errors.prefix(300))")
                #expect(outcome.errors.contains(file) && outcome.errors.utf8.count < 1_500)
                #expect(!outcome.errors.contains("\u{1B}"))
            }
        }
    }

    /// A folder that somebody sent may hold a pipe, which opens when somebody writes to it: never.
    @Test func aPipeInPlaceOfADescriptionIsNotWaitedFor() throws {
        for (file, command) in [
            ("run/run.json", ["segment", "--run", "run", "--in", "cts", "--out", "masks"]),
            ("data/dataset.json", ["train", "--data", "data", "--run", "new"]),
            ("slices.csv", ["prepare", "cts", "--out", "data", "--leave-out", "slices.csv"]),
        ] {
            let road = try road(file, [])
            defer { road.remove() }
            try FileManager.default.removeItem(atPath: road.path(file))
            #expect(mkfifo(road.path(file), 0o600) == 0)
            let program = try road.start(command)
            _ = wait { !program.isRunning }
            program.signal(SIGKILL)
            let outcome = program.wait()
            #expect([1, 2].contains(outcome.code) && outcome.errors.contains(file), "\(file): \(outcome)")
        }
    }

    /// A sound run.json, one number after the other replaced.
    @Test func aRunOfImpossibleNumbersIsRefusedByName() throws {
        let preset = """
            {"name":"demo","spacing":{"zMM":3,"yMM":2.4,"xMM":2.4},"slabDepth":16,"planeHeight":96,"planeWidth":144,\
            "channels":[16,32,64],"strides":[2,2],"residualUnits":1,"batch":2,"iterations":300,"learningRate":0.001,\
            "lesionShapes":true,"lesionProbabilityMaps":true,"lesionSaltNoise":true,"tau":0.33}
            """
        let good = """
            {"format":1,"recipe":"lung-normnet","version":"1","seed":1,"replicaCount":1,"dataSetDigest":"",\
            "replicaDigests":[""],"calibration":{},"configuration":{"preset":\(preset),"planeHeight":96,\
            "planeWidth":144,"iterations":10,"healthyThreshold":0.5,"memberAnswers":false}}
            """
        for (part, replacement) in [
            ("\"replicaCount\":1", "\"replicaCount\":65"), ("\"replicaCount\":1", "\"replicaCount\":0"),
            ("\"replicaCount\":1", "\"replicaCount\":-9223372036854775808"),
            ("\"healthyThreshold\":0.5", "\"healthyThreshold\":1e300"),
            ("\"slabDepth\":16,\"planeHeight\":96", "\"slabDepth\":1024,\"planeHeight\":4096"),
            ("\"zMM\":3", "\"zMM\":0"), ("[16,32,64]", "[4096,4096,4096]"), ("\"strides\":[2,2]", "\"strides\":[2,0]"),
        ] {
            #expect(good.contains(part))
            let road = try road("run/run.json", good.replacingOccurrences(of: part, with: replacement).utf8)
            defer { road.remove() }
            let outcome = try road.run("segment", "--run", "run", "--in", "cts", "--out", "masks")
            #expect(outcome.code == 1 && outcome.errors.contains("run/run.json"), "\(replacement): \(outcome.errors)")
        }
    }
}
