import ModelCore
import Numerics
import Testing

private func file(_ header: String, data: Int = 0, length: UInt64? = nil) -> [UInt8] {
    let text = Array(header.utf8)
    return withUnsafeBytes(of: (length ?? UInt64(text.count)).littleEndian) { [UInt8]($0) } + text
        + [UInt8](repeating: 0, count: data)
}

struct SafeTensorsTests {
    @Test func whatIsWrittenIsReadBackAndWrittenAgainEqually() throws {
        var tensors = SafeTensors(name: "made here")
        tensors.tensors["b"] = SafeTensors.Tensor(shape: [2, 3], floats: [1, -2, .pi, 0, 0x1p-140, 3] as [Float])
        tensors.tensors["a"] = SafeTensors.Tensor(integer: -5)
        tensors.tensors["empty"] = SafeTensors.Tensor(shape: [0, 4], floats: [])
        tensors.tensors["bytes \"quoted\" \u{1F600}"] = SafeTensors.Tensor(shape: [3], bytes: [1, 2, 3])
        tensors.metadata = ["key": "line\nbreak \\ \"", "architecture": "é"]
        let bytes = tensors.serialised()
        let read = try SafeTensors(bytes: bytes, name: "made here")
        #expect(read == tensors)
        #expect(read.serialised() == bytes)
        #expect(read.tensors["a"]?.integer == -5)
        let headerLength = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        #expect(headerLength % 8 == 0)
    }

    @Test func otherFloatingPointFormatsAreReadAsFloats() throws {
        func one(_ type: String, _ bytes: [UInt8]) throws -> [Float]? {
            let header = "{\"x\":{\"dtype\":\"\(type)\",\"shape\":[1],\"data_offsets\":[0,\(bytes.count)]}}"
            return try SafeTensors(bytes: file(header) + bytes, name: "x").tensors["x"]?.floats()
        }
        try #expect(one("F64", [0, 0, 0, 0, 0, 0, 0xF8, 0xBF]) == [-1.5])
        try #expect(one("BF16", [0xC0, 0xBF]) == [-1.5])
        try #expect(one("F16", [0x00, 0xBE]) == [-1.5])
        try #expect(one("F16", [0x01, 0x00]) == [0x1p-24])
        try #expect(one("F16", [0x00, 0xFC]) == [-.infinity])
        try #expect(one("I32", [1, 0, 0, 0]) == nil)
    }

    static let hostile: [(String, [UInt8])] = [
        ("empty", []),
        ("shorter than its length", [1, 0, 0]),
        ("header longer than the file", file("{}", length: 3)),
        ("header of 2^63 bytes", file("{}", length: 1 << 63)),
        ("header over the limit", file("{}", length: 1 << 25)),
        ("no JSON", file("hello")),
        ("array", file("[]")),
        ("unterminated", file("{\"a\":{\"dtype\":\"F32\"")),
        ("text behind the end", file("{} x")),
        ("unknown format", file("{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", data: 4)),
        ("missing field", file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", data: 4)),
        ("repeated field",
         file("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", data: 4)),
        ("unknown field", file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", data: 4)),
        ("negative side", file("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", data: 4)),
        ("fraction", file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", data: 4)),
        ("overflowing shape",
         file("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,16],\"data_offsets\":[0,0]}}")),
        ("overflowing number",
         file("{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}", data: 4)),
        ("too many axes",
         file("{\"a\":{\"dtype\":\"U8\",\"shape\":[\(Array(repeating: "1", count: 17).joined(separator: ","))],"
              + "\"data_offsets\":[0,1]}}", data: 1)),
        ("shape and offsets disagree",
         file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", data: 4)),
        ("offsets backwards", file("{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,0]}}", data: 4)),
        ("beyond the file", file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", data: 4)),
        ("bytes of nobody", file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", data: 5)),
        ("hole", file("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", data: 2)),
        ("overlap",
         file("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
              + "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", data: 3)),
        ("name twice",
         file("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
              + "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", data: 2)),
        ("metadata twice", file("{\"__metadata__\":{},\"__metadata__\":{}}")),
        ("metadata key twice", file("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}")),
        ("metadata of numbers", file("{\"__metadata__\":{\"a\":1}}")),
        ("half a surrogate", file("{\"__metadata__\":{\"a\":\"\\ud800\"}}")),
        ("halves with a blank between them", file("{\"__metadata__\":{\"a\":\"\\ud83d \\ude00\"}}")),
        ("a half with a blank in it", file("{\"__metadata__\":{\"a\":\"\\ud83d\\ ude00\"}}")),
        ("control character", file("{\"__metadata__\":{\"a\u{1}\":\"\"}}")),
        ("no UTF-8", file("{\"__metadata__\":{\"a\":\"") + [0xFF] + Array("\"}}".utf8)),
        ("deep nesting", file(String(repeating: "{\"a\":", count: 100_000))),
    ]

    @Test(arguments: hostile.indices) func aHostileFileIsRefusedByName(_ index: Int) {
        let (what, bytes) = Self.hostile[index]
        do {
            _ = try SafeTensors(bytes: bytes, name: "evil.safetensors")
            Issue.record("\(what) was accepted")
        } catch {
            #expect("\(error)".contains("evil.safetensors"), "\(what): \(error)")
        }
    }

    /// Every single bit of a small file's header turned over, and every truncation: refused or read, never a trap.
    @Test func noFlippedBitAndNoTruncationTraps() throws {
        var good = SafeTensors(name: "x")
        good.tensors["a"] = SafeTensors.Tensor(shape: [2], floats: [1, 2] as [Float])
        good.tensors["b"] = SafeTensors.Tensor(integer: 3)
        good.metadata = ["k": "v"]
        let bytes = good.serialised()
        var refused = 0
        for position in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[position] ^= 1 << bit
                if (try? SafeTensors(bytes: flipped, name: "x")) == nil { refused += 1 }
            }
            #expect(throws: ModelError.self) { try SafeTensors(bytes: Array(bytes[..<position]), name: "x") }
        }
        #expect(refused > 8 * 100)
    }

    @Test func loadingIsStrictAndNamesWhatIsAtFault() throws {
        let configuration = try UNetConfiguration(
            inChannels: 1, outChannels: 2, channels: [4, 8], strides: [2], residualUnits: 1)
        let model = UNetModel(configuration: configuration)
        model.initialise(seed: 1, replica: 0)
        let good = model.safeTensors(metadata: ["recipe": "lung-normnet"])
        #expect(good.metadata["recipe"] == "lung-normnet")
        func message(_ change: (inout SafeTensors) -> Void) -> String {
            var bad = good
            bad.name = "replica-0.safetensors"
            change(&bad)
            do {
                try model.load(bad)
                return ""
            } catch {
                return "\(error)"
            }
        }
        let name = "model.0.residual.bias"
        #expect(message { _ in } == "")
        #expect(message { $0.tensors[name] = nil }.contains(name))
        #expect(message { $0.tensors["extra"] = $0.tensors[name] }.contains("extra"))
        #expect(message { $0.tensors[name] = .init(shape: [2, 2], floats: [1, 2, 3, 4] as [Float]) }.contains("[4]"))
        #expect(message { $0.tensors[name] = .init(shape: [4], bytes: [1, 2, 3, 4]) }.contains("U8"))
        #expect(message { $0.tensors[name] = .init(shape: [4], floats: [.nan, 1, 2, 3] as [Float]) }.contains(name))
        for text in [message { $0.tensors[name] = nil }] { #expect(text.contains("replica-0.safetensors")) }
        #expect(try UNetModel(file: good).safeTensors().tensors == good.tensors)
        var unnamed = good
        unnamed.metadata["strides"] = "[2"
        unnamed.metadata["channels"] = "[4, x]"
        #expect(throws: ModelError.self) { try UNetModel(file: unnamed) }
    }

    @Test func configurationsOutOfBoundsAreRefused() {
        for (channels, strides, units) in [
            ([4], [], 1), ([4, 8], [], 1), ([4, 8], [2, 2], 1), ([4, 0], [2], 1), ([4, 8], [0], 1), ([4, 8], [2], -1),
            ([4, 1 << 40], [2], 1), ([4, 8, 8, 8, 8], [16, 16, 16, 16], 1),
        ] as [([Int], [Int], Int)] {
            #expect(throws: ModelError.self) {
                try UNetConfiguration(
                    inChannels: 1, outChannels: 2, channels: channels, strides: strides, residualUnits: units)
            }
        }
    }

    @Test func thePapersNetworkHasMONAIsParameterCount() throws {
        let configuration = try UNetConfiguration(
            inChannels: 1, outChannels: 2, channels: [16, 32, 64, 128, 256], strides: [2, 2, 2, 2], residualUnits: 2)
        #expect(configuration.parameterCount == 4_806_481)
        #expect(try UNetConfiguration(metadata: configuration.metadata) == configuration)
        // The paper's slab fits, in less than two thirds of the 3.2 GB that PyTorch holds for it.
        let slab = TensorShape3D(depth: 32, height: 512, width: 512)
        #expect(try UNetTrainer.arenaByteCount(configuration: configuration, shape: slab) < 2_000_000_000)
    }

    @Test func trainingRefusesASizeThatItWouldHaveToPad() throws {
        let model = UNetModel(
            configuration: try UNetConfiguration(
                inChannels: 1, outChannels: 2, channels: [4, 8], strides: [2], residualUnits: 1))
        let pool = ThreadPool(threadCount: 1)
        #expect(throws: ModelError.self) {
            try UNetTrainer(
                model: model, shape: TensorShape3D(depth: 4, height: 5, width: 4), learningRate: 1, pool: pool)
        }
        #expect(throws: ModelError.self) {
            try UNetPredictor(model: model, shape: TensorShape3D(depth: 4, height: 0, width: 4), pool: pool)
        }
        #expect(throws: ModelError.self) {
            try UNetPredictor(model: model, shape: TensorShape3D(depth: 4096, height: 4096, width: 4096), pool: pool)
        }
    }
}
