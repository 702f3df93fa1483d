import Foundation
import Platform
import Testing

/// `quintet apply` with tensors and weights of other people.
@Suite struct ApplyTests {
    /// One tensor called x of floats as a safetensors file.
    private func tensor(_ shape: [Int], _ values: [Float]) -> [UInt8] {
        let sides = shape.map { "\($0)" }.joined(separator: ",")
        let header = "{\"x\":{\"dtype\":\"F32\",\"shape\":[\(sides)],\"data_offsets\":[0,\(4 * values.count)]}}"
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
        return length + header.utf8 + values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } }
    }

    @Test func whatIsNoNumberOrNoSuchFileIsAnErrorAndNoResult() throws {
        let road = try Road()
        defer { road.remove() }
        try road.prepareSmallData()
        try road.succeed(
            "train", "--data", "data", "--run", "run", "--replicas", "1", "--iterations", "1", "--channels", "4,8",
            "--strides", "2", "--batch", "1", "--threshold", "0.5", "--quiet")
        func apply(_ weights: String) throws -> Road.Outcome {
            try road.run("apply", "--weights", weights, "--in", "x.safetensors", "--out", "y.safetensors")
        }
        var values = (0..<64).map { Float($0) / 64 }
        try AtomicFile.write(tensor([1, 1, 4, 4, 4], values), to: road.path("x.safetensors"))
        #expect(try apply("run/replica-0.safetensors").code == 0)
        try FileSystem.remove(road.path("y.safetensors"))
        // Slice 1, row 2, column 3.
        values[27] = .nan
        try AtomicFile.write(tensor([1, 1, 4, 4, 4], values), to: road.path("x.safetensors"))
        let hole = try apply("run/replica-0.safetensors")
        #expect(hole.code == 1 && hole.errors.contains("x[0, 0, 1, 2, 3] is nan"), "\(hole.errors)")
        try AtomicFile.write(Array("PK\u{3}\u{4}archive/data.pkl".utf8), to: road.path("w.pt"))
        let pickled = try apply("w.pt")
        #expect(pickled.code == 1 && pickled.errors.contains("w.pt is not a sound safetensors file: it is what torch."))
        #expect(!FileManager.default.fileExists(atPath: road.path("y.safetensors")))
    }
}
