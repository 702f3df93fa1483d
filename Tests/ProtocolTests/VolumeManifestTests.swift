import Protocol
import Testing

@Suite struct VolumeManifestTests {
    private let volumes = [
        VolumeSubmission(name: "P002", inputs: [Samples.volume]),
        VolumeSubmission(name: "", inputs: []),
        VolumeSubmission(name: "Thorax é", inputs: [Samples.volume, Samples.replica]),
    ]

    @Test func volumesComeBackEqual() throws {
        #expect(try VolumeManifest.decode(VolumeManifest.encode(volumes)) == volumes)
        #expect(try VolumeManifest.decode(VolumeManifest.encode([])) == [])
    }

    @Test func anArchiveOfTwentyThousandFits() throws {
        let inputs = [Samples.volume, Samples.volume]
        let archive = (0..<20_000).map { VolumeSubmission(name: "volume-\($0)", inputs: inputs) }
        #expect(try VolumeManifest.decode(VolumeManifest.encode(archive)) == archive)
    }

    @Test func aManifestCutAnywhereOrWithATailIsRefused() throws {
        let bytes = try VolumeManifest.encode(volumes)
        for count in 0..<bytes.count {
            #expect(throws: ProtocolError.self) { try VolumeManifest.decode(Array(bytes[..<count])) }
        }
        #expect(throws: ProtocolError.self) { try VolumeManifest.decode(bytes + [0]) }
        #expect(throws: ProtocolError.self) { try VolumeManifest.decode(Array("a NIfTI file, say".utf8)) }
    }

    @Test func mutatedManifestsNeverTrap() throws {
        let bytes = try VolumeManifest.encode(volumes)
        var random = TestRandom(seed: 5)
        for _ in 0..<50_000 {
            var mutated = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                mutated[Int.random(in: 0..<mutated.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            if let decoded = try? VolumeManifest.decode(mutated) {
                #expect(try VolumeManifest.encode(decoded) == mutated)
            }
        }
    }
}
