import Foundation
import ModelCore
import Platform
import Testing

/// `quintet export`, as a user says it.
@Suite struct ExportTests {
    private func run(in road: Road) throws {
        try road.prepareSmallData()
        try road.succeed(
            "train", "--data", "data", "--run", "run", "--replicas", "2", "--iterations", "1", "--channels", "4,8",
            "--strides", "2", "--batch", "1", "--threshold", "0.5", "--quiet")
    }

    /// Another replica's weights; a file of ours or of somebody else that is written over; weights that are not the
    /// run's any more.
    @Test func theReplicaThatWasNamedIsWrittenAndNothingElseIsTouched() throws {
        let road = try Road()
        defer { road.remove() }
        try run(in: road)
        try road.succeed(
            "export", "--run", "run", "--replica", "1", "--onnx", "one.onnx", "--example", "example.safetensors")
        let digest = Hexadecimal.text(try SHA256.digest(ofFile: road.path("run/replica-1.safetensors")))
        let written = try #require(road.bytes("one.onnx"))
        #expect(written.range(of: Data(digest.utf8)) != nil)
        // `apply` reads x of the example and answers with the file of weights.
        try road.succeed(
            "apply", "--weights", "run/replica-1.safetensors", "--in", "example.safetensors", "--out", "y.safetensors")
        func y(_ name: String) throws -> SafeTensors.Tensor? {
            try SafeTensors(bytes: Array(try #require(road.bytes(name))), name: name).tensors["y"]
        }
        #expect(try y("example.safetensors")?.floats() == y("y.safetensors")?.floats())

        let again = try road.run("export", "--run", "run", "--onnx", "one.onnx")
        #expect(again.code == 1 && again.errors.contains("one.onnx is there already"), "\(again.errors)")
        let weights = road.bytes("run/replica-0.safetensors")
        let over = try road.run(
            "export", "--run", "run", "--onnx", "run/replica-0.safetensors", "--overwrite")
        #expect(over.code != 0, "\(over.errors)")
        #expect(road.bytes("one.onnx") == written && road.bytes("run/replica-0.safetensors") == weights)

        let changed = try #require(weights).dropLast() + [0x7F]
        try AtomicFile.write(Array(changed), to: road.path("run/replica-0.safetensors"))
        let foreign = try road.run("export", "--run", "run", "--onnx", "zero.onnx")
        #expect(foreign.code == 1 && foreign.errors.contains("replica-0.safetensors"), "\(foreign.errors)")
        #expect(road.bytes("zero.onnx") == nil)
    }
}
