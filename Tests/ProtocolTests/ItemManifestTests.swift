import Protocol
import Testing

@Suite struct ItemManifestTests {
    private let volumes = [
        ItemSubmission(name: "P002", inputs: [Samples.volume]),
        ItemSubmission(name: "", inputs: []),
        ItemSubmission(name: "Thorax é", inputs: [Samples.volume, Samples.replica]),
    ]

    @Test func volumesComeBackEqual() throws {
        #expect(try ItemManifest.decode(ItemManifest.encode(volumes)) == volumes)
        #expect(try ItemManifest.decode(ItemManifest.encode([])) == [])
    }

    @Test func anArchiveOfTwentyThousandFits() throws {
        let inputs = [Samples.volume, Samples.volume]
        let archive = (0..<20_000).map { ItemSubmission(name: "volume-\($0)", inputs: inputs) }
        #expect(try ItemManifest.decode(ItemManifest.encode(archive)) == archive)
    }

    @Test func aManifestCutAnywhereOrWithATailIsRefused() throws {
        let bytes = try ItemManifest.encode(volumes)
        for count in 0..<bytes.count {
            #expect(throws: ProtocolError.self) { try ItemManifest.decode(Array(bytes[..<count])) }
        }
        #expect(throws: ProtocolError.self) { try ItemManifest.decode(bytes + [0]) }
        #expect(throws: ProtocolError.self) { try ItemManifest.decode(Array("a NIfTI file, say".utf8)) }
    }

    @Test func mutatedManifestsNeverTrap() throws {
        let bytes = try ItemManifest.encode(volumes)
        var random = TestRandom(seed: 5)
        for _ in 0..<50_000 {
            var mutated = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                mutated[Int.random(in: 0..<mutated.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            if let decoded = try? ItemManifest.decode(mutated) {
                #expect(try ItemManifest.encode(decoded) == mutated)
            }
        }
    }
}
