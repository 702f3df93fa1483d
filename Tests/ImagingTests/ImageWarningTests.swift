import Foundation
import Imaging
import Testing

/// What a file says about itself that needs a word beside its figures.
@Suite struct ImageWarningTests {
    @Test func aSourceWithoutWarningsIsStoredAsItEverWas() throws {
        var source = try ImageFile.read(path: ImageSamples.golden("images/scaled.nii.gz")).source
        let encoder = JSONEncoder()
        #expect(!String(decoding: try encoder.encode(source), as: UTF8.self).contains("warnings"))
        #expect(try JSONDecoder().decode(ImageSource.self, from: encoder.encode(source)) == source)
        source.warnings = ["A says one thing and B another; A counts."]
        #expect(try JSONDecoder().decode(ImageSource.self, from: encoder.encode(source)) == source)
    }
}
