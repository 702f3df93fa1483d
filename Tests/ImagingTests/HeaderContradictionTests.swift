import Foundation
import Imaging
import TestSupport
import Testing

/// Headers that contradict themselves: what is taken is what a reader named here takes (Goldens/make_headers.py), it is
/// said, and what is written afterwards contradicts itself no more.
@Suite struct HeaderContradictionTests {
    enum Reader { case both, nibabel, simpleITK }

    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        /// nil: refused.
        var like: Reader?
        /// What the warning, or the refusal, says.
        var words: [String]
        var testDescription: String { name }
    }

    struct Reading: Decodable {
        var affine: [Double]
        var values: [Double]
    }

    struct Expected: Decodable {
        var name: String
        var nibabel: Reading?
        var simpleITK: Reading?
    }

    static let cases: [Case] = [
        Case(name: "good", like: .both, words: []),
        Case(name: "slope_nan", like: .both, words: ["scl_slope", "nan"]),
        Case(name: "slope_intercept_nan", like: .both, words: ["scl_slope"]),
        Case(name: "slope_infinite", like: .both, words: ["scl_slope", "inf"]),
        Case(name: "slope_nan_intercept", like: .nibabel, words: ["SimpleITK adds", "5.0"]),
        Case(name: "slope_0_intercept", like: .nibabel, words: ["SimpleITK adds", "5.0"]),
        Case(name: "intercept_nan", like: nil, words: ["intercept"]),
        Case(name: "sform_zero", like: .simpleITK, words: ["sform is all zero", "qform counts"]),
        Case(name: "sform_zero_no_qform", like: nil, words: ["sform is all zero"]),
        Case(name: "pixdim_0", like: .nibabel, words: ["pixdim is 0", "1 mm"]),
        Case(name: "pixdim_0_along_z", like: .nibabel, words: ["pixdim is 0"]),
        Case(name: "pixdim_0_no_qform", like: .nibabel, words: ["pixdim is 0"]),
        Case(name: "pixdim_0_no_sform", like: nil, words: ["pixdim"]),
        Case(name: "pixdim_negative", like: .nibabel, words: ["pixdim is negative"]),
        Case(name: "pixdim_1_no_qform", like: .nibabel, words: ["pixdim of 1", "0.7 x 0.8 x 2.5 mm"]),
        Case(name: "pixdim_other_no_qform", like: nil, words: ["0.7 x 0.8 x 2.5 mm", "0.7 x 0.8 x 3.0 mm"]),
        Case(name: "dim4_0", like: .simpleITK, words: ["0 frames along dimension 4"]),
        Case(name: "dim5_0", like: .simpleITK, words: ["0 frames along dimension 5"]),
        Case(name: "bitpix_8", like: .both, words: ["bitpix of 8", "int16"]),
        Case(name: "bitpix_0", like: .both, words: ["bitpix of 0"]),
        Case(name: "ni1", like: .both, words: ["ni1", "byte 352"]),
        Case(name: "sform_unit", like: .simpleITK, words: ["1.0 x 1.0 x 1.0 mm", "0.7 x 0.8 x 2.5", "qform counts"]),
        Case(name: "sform_unit_no_qform", like: nil, words: ["1.0 x 1.0 x 1.0 mm", "nibabel", "SimpleITK"]),
        Case(name: "sform_stretched", like: nil, words: ["0.7 x 0.8 x 3.3333 mm", "0.7 x 0.8 x 2.5 mm"]),
        Case(name: "sform_rounded", like: .nibabel, words: ["not quite", "0.703", "sform counts"]),
        Case(name: "sform_flipped", like: .nibabel, words: ["RPS by its sform", "LPS by its qform"]),
        Case(name: "sform_sheared", like: .nibabel, words: ["30.0 degrees"]),
        Case(name: "qform_nan", like: .both, words: ["qform is not a number"]),
        Case(name: "units_metres", like: .nibabel, words: ["metres", "taken as millimetres"]),
        Case(name: "units_microns", like: .nibabel, words: ["microns", "taken as millimetres"]),
    ]

    private static func expected(_ name: String) throws -> Expected {
        let all = try JSONDecoder().decode(
            [Expected].self, from: Data(ImageSamples.goldenBytes("headers/expected.json")))
        return try #require(all.first { $0.name == name + ".nii" })
    }

    @Test(arguments: cases) func eachIsReadAsAReaderDoesAndSaidOrRefused(item: Case) throws {
        let path = ImageSamples.golden("headers/\(item.name).nii")
        guard let like = item.like else {
            let error = "\(try #require(#expect(throws: ImageFileError.self) { try ImageFile.read(path: path) }))"
            #expect(error.hasPrefix(item.name + ".nii: ") && item.words.allSatisfy(error.contains), "\(error)")
            return
        }
        let image = try ImageFile.read(path: path)
        let golden = try Self.expected(item.name)
        for reading in (like == .nibabel ? [] : [golden.simpleITK]) + (like == .simpleITK ? [] : [golden.nibabel]) {
            let reading = try #require(reading)
            let distance = largestDifference(image.volume.geometry.affine, reading.affine)
            #expect(distance < 1e-5, "\(item.name): \(distance)")
            #expect(image.volume.voxels == reading.values.map { Float($0) })
        }
        let warnings = image.source.warnings
        #expect(warnings.count == (item.words.isEmpty ? 0 : 1), "\(warnings)")
        #expect(item.words.allSatisfy { word in warnings.contains { $0.contains(word) } }, "\(warnings)")
        #expect(warnings.allSatisfy { $0.hasSuffix(".") && !$0.contains(".nii") })
        // The same as a blob, and as bytes in memory.
        let bytes = try ImageSamples.goldenBytes("headers/\(item.name).nii")
        #expect(try ImageFile.read(bytes: bytes, name: "blob").source.warnings == warnings)
    }

    /// A mask must lie on the grid that was used for whoever reads it: by sform, by qform and by pixdim.
    @Test(arguments: cases.filter { $0.like != nil }) func aMaskContradictsItselfNoMore(item: Case) throws {
        let image = try ImageFile.read(path: ImageSamples.golden("headers/\(item.name).nii"))
        let ones: Mask = image.volume.with([UInt8](repeating: 1, count: image.volume.voxels.count))
        let bytes = NIfTIFile.encode(ones, like: image.source, isCompressed: false)
        let back = try ImageFile.read(bytes: bytes, name: "mask")
        #expect(ImageSamples.distance(back.volume.geometry, image.volume.geometry) < 1e-5)
        #expect(try back.mask(on: image.source).voxels.allSatisfy { $0 == 1 })
        guard !["sform_flipped", "sform_sheared", "pixdim_negative"].contains(item.name) else { return }
        #expect(back.source.warnings.isEmpty, "\(back.source.warnings)")
        let byQform = try ImageFile.read(bytes: ImageSamples.patched(bytes, at: 254, [0, 0]), name: "mask")
        #expect(ImageSamples.distance(byQform.volume.geometry, image.volume.geometry) < 1e-5)
        // A stored source is taken again.
        let stored = try JSONEncoder().encode(image.source)
        #expect(try JSONDecoder().decode(ImageSource.self, from: stored) == image.source)
    }

    /// An identity says nothing: not where the axes run either.
    @Test func anIdentityAsSformLeavesTheQform() throws {
        let image = try ImageFile.read(path: ImageSamples.golden("headers/sform_identity.nii"))
        let good = try ImageFile.read(path: ImageSamples.golden("headers/good.nii"))
        #expect(ImageSamples.distance(image.volume.geometry, good.volume.geometry) < 1e-5)
        #expect(image.source.warnings.count == 1 && image.source.orientation.description == "LPS")
    }

    @Test func aHeaderOfAPairStandsForNoImageByItself() throws {
        let pair = try ImageSamples.goldenBytes("images/pair.hdr")
        #expect(ImageSamples.refusal(pair, name: "alone.hdr")?.kind == .unsupported)
        #expect(ImageSamples.refusal(pair, name: "blob")?.kind == .damaged)
        #expect(try ImageFile.read(path: ImageSamples.golden("images/pair.hdr")).source.warnings.isEmpty)
    }

    @Test func aFileThatDoesNotSayHowThePatientLiesIsSaid() throws {
        let source = try ImageFile.read(path: ImageSamples.golden("images/no_form.nii")).source
        #expect(source.warnings.count == 1 && source.warnings[0].contains("how the patient lies"))
    }
}
