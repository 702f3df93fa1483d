import Foundation
import Testing

/// What cluster/fuzz.sh has found so far, once more: inputs that reach every part of the readers, and those that once
/// brought one down.
@Suite struct CorpusTests {
    @Test func everyTensorFileOfEarlierFuzzingEndsWell() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Corpus/SafeTensors/"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(files.count >= 10, "the corpus is missing")
        for file in files {
            HostileTensors.take([UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + file))))
        }
    }
}
