import Foundation
import TestSupport
import Testing

/// What scripts read from `quintet bench`, at sizes that take no time. How fast anything is, is judged nowhere here.
@Suite(.serialized) struct BenchTests {
    private func report(_ words: String...) throws -> [String: Any] {
        let road = try Road()
        defer { road.remove() }
        let outcome = try road.start(["bench"] + words + ["--json", "--threads", "2"]).wait()
        #expect(outcome.code == 0, "\(words): \(outcome.errors)")
        let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
        return try #require(object, "\(words) printed no JSON object: \(outcome.output)")
    }

    private func positive(_ report: [String: Any], _ keys: String...) {
        for key in keys {
            let value = report[key] as? Double ?? 0
            #expect(value > 0 && value.isFinite, "\(report["what"] ?? "?"): \(key) is \(report[key] ?? "missing")")
        }
    }

    private func summary(_ report: [String: Any], _ what: String, size: String, samples: Int) {
        #expect(report["what"] as? String == what && report["size"] as? String == size)
        #expect(report["samples"] as? Int == samples && report["threads"] as? Int == 2)
        positive(report, "secondsPerSample", "peakMemoryBytes", "peakGigaflops", "bandwidthGigabytesPerSecond")
        let seconds = ["secondsPerSampleMin", "secondsPerSample", "secondsPerSampleMax"].map { report[$0] as? Double }
        #expect(seconds[0] ?? 1 <= seconds[1] ?? 0 && seconds[1] ?? 1 <= seconds[2] ?? 0)
    }

    @Test func everyBenchmarkReportsMediansMemoryAndTheMachinesPeak() throws {
        for mode in ["infer", "train"] {
            let network = try report("network", "--mode", mode, "--size", "16x32x48", "--samples", "3")
            summary(network, "network", size: "16x32x48", samples: 3)
            positive(network, "gigaflops", "shareOfPeak", "firstSampleSeconds", "preparationSeconds", "arenaBytes")
            #expect(network["mode"] as? String == mode)
            let operations = network["operationSeconds"] as? [String: Double] ?? [:]
            #expect(operations.keys.contains { $0.hasPrefix("weight gradient") } == (mode == "train"))
            for name in mode == "train" ? ["pack weights", "adam", "import input"] : ["softmax", "import input"] {
                #expect(operations[name] ?? 0 > 0, "\(mode) says nothing of \(name)")
            }
        }
        let lesions = try report("lesions", "--size", "8x64x64", "--samples", "2")
        summary(lesions, "lesions", size: "8x64x64", samples: 2)
        positive(lesions, "lesionVoxels", "voxelsPerSecond")
        let start = try report("start", "--preset", "demo", "--size", "16x32x48")
        summary(start, "start", size: "16x32x48", samples: 1)
        positive(start, "startSeconds", "firstStepSeconds")
        let vote = try report("vote", "--size", "8x40x72", "--samples", "2")
        summary(vote, "vote", size: "8x40x72", samples: 2)
        positive(vote, "packSeconds", "majoritySeconds", "healthyVoxels")
    }

    @Test func thePeakIsMeasuredForEveryInstructionSetAndNumberOfThreads() throws {
        let peak = try report("peak")
        positive(peak, "peakGigaflops", "bandwidthGigabytesPerSecond", "peakMemoryBytes")
        let rows = peak["rows"] as? [[String: Any]] ?? []
        #expect(rows.contains { $0["kernels"] as? String == "portable" })
        for threads in [1, 2] {
            #expect(rows.contains { ($0["peak"] as? [String: Any])?["threadCount"] as? Int == threads })
        }
    }

    @Test func layersAddUpToTheNetworkAndWinogradSavesMultiplications() throws {
        let layers = try report("layers", "--size", "16x64x64", "--samples", "2")
        summary(layers, "layers", size: "16x64x64", samples: 2)
        let rows = layers["rows"] as? [[String: Any]] ?? []
        for what in ["convolution", "data gradient", "weight gradient"] {
            let convolutions = rows.filter { $0["operation"] as? String == what }
            #expect(!convolutions.isEmpty)
            for row in convolutions { positive(row, "gigaflops", "shareOfPeak", "computedShareOfPeak") }
        }
        // The first whole layer: 2x4x4 outputs by 144 products instead of 864, on whole tiles.
        let winograd = rows.first {
            $0["operation"] as? String == "convolution" && $0["layer"] as? String == "16->16 k3 s1"
        }
        #expect(winograd?["multiplicationsSaved"] as? Double == 6)
        for row in rows { positive(row, "millisecondsPerCall", "gigabytesPerSecond", "callsPerSample") }
        #expect(rows.contains { $0["operation"] as? String == "norm activate" && $0["gigaflops"] == nil })
        // Forward and backward of the same shapes: the definition's operations, by the whole and by its parts.
        let seconds = layers["secondsPerSample"] as? Double ?? 0, rate = layers["gigaflops"] as? Double ?? 0
        let parts = rows.reduce(0.0) { sum, row in
            let milliseconds = row["millisecondsPerCall"] as? Double ?? 0, calls = row["callsPerSample"] as? Int ?? 0
            return sum + (row["gigaflops"] as? Double ?? 0) * milliseconds / 1000 * Double(calls)
        }
        #expect(abs(parts / (rate * seconds) - 1) < 1e-6)
    }

    @Test func postProcessingFindsTheLesionsOfTheMadeUpPatient() throws {
        let report = try report("postprocess", "--size", "30x128x128", "--samples", "1")
        summary(report, "postprocess", size: "30x128x128", samples: 1)
        positive(report, "coreVoxels", "grownVoxels", "lungVoxels")
        let counts = ["coreVoxels", "grownVoxels", "lungVoxels"].map { report[$0] as? Int ?? 0 }
        #expect(counts[0] < counts[2] && counts[1] < counts[2])
    }

    @Test func anUnknownBenchmarkOrSizeIsRefusedWithWhatThereIs() throws {
        let road = try Road()
        defer { road.remove() }
        for words in [[], ["speed"], ["peak", "vote"]] {
            let outcome = try road.start(["bench"] + words).wait()
            #expect(outcome.code == 2 && outcome.errors.contains("lesions, postprocess, vote"))
        }
        for size in ["32x256", "0x8x8", "4097x8x8", "4096x4096x4096", "8xx8", "axbxc"] {
            let outcome = try road.run("bench", "network", "--size", size)
            #expect(outcome.code == 2 && outcome.errors.contains("32x256x256"), "\(size): \(outcome.errors)")
        }
        let odd = try road.run("bench", "network", "--mode", "train", "--size", "8x30x30")
        #expect(odd.code == 1 && odd.errors.contains("multiples of 16"), "\(odd.errors)")
    }

    @Test func aStopEndsABenchmarkCleanlyAndPrintsNoFigures() throws {
        let road = try Road()
        defer { road.remove() }
        let program = try road.start(["bench", "lesions", "--size", "16x128x128", "--samples", "10000", "--json"])
        #expect(wait { program.errorsSoFar.contains("warming up") || !program.isRunning })
        program.signal(SIGINT)
        let outcome = program.wait()
        #expect(outcome.code == 130 && outcome.errors.contains("interrupted"), "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
    }
}
