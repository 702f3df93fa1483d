import Foundation
import Imaging
import Numerics
import Recipes
import SynthData
import TestSupport
import Testing

/// What is no lung, or not in HU, is refused by name with the remedy; disease never is.
@Suite struct LungPlausibilityTests {
    static let phantom = ChestPhantom.make(
        .init(seed: 3, index: 1, spacing: Spacing(zMM: 4, yMM: 3, xMM: 3), diseased: true, severity: 0.8))
    static let ct = phantom.ct
    static let lung = PreparationTests.floats(phantom.lung)
    static var pool: ThreadPool { ThreadPool(threadCount: 2) }

    static func file(_ volume: Volume<Float>, _ name: String) throws -> LoadedImage {
        try ImageFile.read(bytes: NIfTIFile.encode(volume), name: name)
    }

    static func lungMask(_ ct: Volume<Float>, _ mask: Volume<Float>, labels: Set<Int>? = nil) throws -> LungMask {
        try LungMask(of: file(ct, "ct.nii"), given: file(mask, "mask.nii"), labels: labels, pool: pool)
    }

    static func refusal(_ body: () throws -> some Any) -> String? {
        do {
            _ = try body()
            return nil
        } catch RecipeError.inputRefused(let message) {
            return message
        } catch {
            return nil
        }
    }

    static func mapped(_ volume: Volume<Float>, _ map: (Float) -> Float) -> Volume<Float> {
        volume.with(volume.voxels.map(map))
    }

    private static let realData = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../shared/data").path

    /// COVID-19 with its own mask: what numpy counts in the two files.
    @Test(.enabled(
        if: isHere(FileManager.default.fileExists(atPath: realData + "/P002_ct.nii.gz"), "real CTs in ../shared/data"),
        "no real CT in ../shared/data"))
    func theFiguresAreThoseOfNumpyAndAMirroredMaskIsRefusedByThem() throws {
        func read(_ name: String) throws -> LoadedImage { try ImageFile.read(path: "\(Self.realData)/\(name).nii.gz") }
        let ct = try read("P002_ct")
        let mask = try read("P002_lung_auto").mask(on: ct.source)
        let content = LungContent(ct.volume, mask: mask, pool: Self.pool)
        #expect(abs(content.volumeML - 4006.744) < 0.01 && abs(content.medianHU - -880) < 0.05)
        #expect(abs(content.airShare - 5_154_858.0 / 5_500_277) < 1e-12)
        #expect(abs(content.tissueShare - 85_638.0 / 5_500_277) < 1e-12)
        #expect(abs(content.boneShare - 87.0 / 5_500_277) < 1e-12)
        #expect(abs(content.airBesideShare - 467.0 / 423_036) < 1e-12)

        // Cropped to the body, there is no air outside that would tell 1000 from 1024.
        for offset in [1000, 1024] {
            var shifted = ct
            shifted.volume = Self.mapped(ct.volume) { max($0 + Float(offset), 0) }
            let given = try read("P002_lung_auto")
            let message = Self.refusal { try LungMask(of: shifted, given: given, pool: Self.pool) } ?? ""
            #expect(message.contains("read it with --add-hu -\(offset)"), "\(message)")
        }

        // Left for right.
        let width = mask.shape.width
        var mirrored = try read("P002_lung_auto")
        for index in mask.voxels.indices {
            mirrored.volume.voxels[index] = Float(mask.voxels[index - index % width + (width - 1 - index % width)])
        }
        let message = Self.refusal { try LungMask(of: ct, given: mirrored, pool: Self.pool) } ?? ""
        #expect(message.contains("does not fit it: 19.2% of it lies on soft tissue and 1.0% on bone"), "\(message)")
        #expect(message.contains("36.9% of what lies beside it is air"), "\(message)")
    }

    static let units: [(name: String, map: @Sendable (Float) -> Float, remedy: String)] = [
        ("HU + 1024", { max($0 + 1024, 0) }, "--add-hu -1024 ("),
        ("HU + 1000, air is 0", { max($0 + 1000, 0) }, "--add-hu -1000 ("),
        ("wrapped round", { $0 < 0 ? $0 + 65_536 : $0 }, "signed 16-bit"),
        ("0 to 1", { min(max(($0 + 1000) / 1400, 0), 1) }, "original CT"),
        ("bytes", { (min(max(($0 + 1000) / 1400, 0), 1) * 255).rounded(.down) }, "original CT"),
        ("HU - 1024", { $0 - 1024 }, "--add-hu 1024"),
    ]

    @Test(arguments: units.indices)
    func whatIsNotInHUIsRefusedByNameWithTheRemedy(number: Int) throws {
        let unit = Self.units[number], ct = Self.mapped(Self.ct, unit.map)
        let given = Self.refusal { try Self.lungMask(ct, Self.lung) } ?? ""
        for part in ["ct.nii is not in Hounsfield units", "-831 to -876 HU", unit.remedy] {
            #expect(given.contains(part), "\(unit.name): \(given)")
        }
        // Where the mask is made here.
        guard number < 5 else { return }
        let made = Self.refusal { try LungMask(of: Self.file(ct, "ct.nii"), given: nil, pool: Self.pool) } ?? ""
        #expect(made.contains("ct.nii is not in Hounsfield units") && made.contains(unit.remedy), "\(made)")
    }

    @Test func whatIsAddedGivesTheVeryBytesOfTheCTInHU() throws {
        func prepare(_ ct: Volume<Float>, _ reading: ReadingOptions?) throws -> PreparedVolume {
            try Preparation.run(
                ct: Self.file(ct, "ct.nii"), lung: Self.file(Self.lung, "mask.nii"), reading: reading,
                preset: PreparationTests.preset, planeHeight: 24, planeWidth: 32, forTraining: false, pool: Self.pool)
        }
        // Whole numbers, as files hold them.
        let whole = Self.mapped(Self.ct) { $0.rounded() }
        let plain = try prepare(whole, nil)
        let shifted = try prepare(Self.mapped(whole) { $0 + 1024 }, ReadingOptions(addHU: -1024))
        #expect(plain.intensity.voxels.contains { $0 > 0 } && plain.intensity.voxels == shifted.intensity.voxels)
        #expect(plain.warnings.isEmpty && shifted.warnings.isEmpty)
    }

    @Test func aMaskOfAnotherPatientAMirroredAndAShiftedOneAreRefusedByName() throws {
        #expect(try Self.lungMask(Self.ct, Self.lung).warnings.isEmpty)
        let shape = Self.lung.shape
        func moved(_ place: (_ z: Int, _ y: Int, _ x: Int) -> (Int, Int, Int)) -> Volume<Float> {
            var result = Self.lung
            for z in 0..<shape.depth {
                for y in 0..<shape.height {
                    for x in 0..<shape.width {
                        let (fromZ, fromY, fromX) = place(z, y, x)
                        let isInside = (0..<shape.depth).contains(fromZ) && (0..<shape.height).contains(fromY)
                            && (0..<shape.width).contains(fromX)
                        result[z, y, x] = isInside ? Self.lung[fromZ, fromY, fromX] : 0
                    }
                }
            }
            return result
        }
        let wrong = [
            moved { ($0, shape.height - 1 - $1, $2) }, moved { (shape.depth - 1 - $0, $1, $2) },
            moved { ($0, $1 + 10, $2) },
        ]
        for (number, mask) in wrong.enumerated() {
            let message = Self.refusal { try Self.lungMask(Self.ct, mask) } ?? ""
            #expect(message.contains("ct.nii") && message.contains("mask.nii does not fit it"), "\(number): \(message)")
        }
        // By 6 mm, and left for right where a made-up chest is nearly the same: looked at by a person.
        for mask in [moved { ($0, $1 + 2, $2) }, moved { ($0, $1, shape.width - 1 - $2) }] {
            let warnings = try Self.lungMask(Self.ct, mask).warnings
            #expect(warnings.contains { $0.contains("is it this CT's own?") }, "\(warnings)")
        }
    }

    /// Consolidation from the back, as gravity has it: the mask is right, and most of it is no air.
    @Test(arguments: [0.3, 0.6, 0.9]) func severeDiseaseIsNeverRefused(share: Double) throws {
        let inside = Self.lung.voxels.indices.filter { Self.lung.voxels[$0] > 0 }
        let width = Self.lung.shape.width, height = Self.lung.shape.height
        let fromBehind = inside.sorted { ($0 / width % height, $0) < ($1 / width % height, $1) }
        var ct = Self.ct
        for index in fromBehind.prefix(Int(share * Double(inside.count))) { ct.voxels[index] = 30 }
        let warnings = try Self.lungMask(ct, Self.lung).warnings
        #expect(warnings.contains { $0.contains("severe disease") } == (share > 0.5), "\(warnings)")
    }

    @Test func otherOrgansBoxesThresholdsAndPartsAreToldFromLungs() throws {
        let tissue = Self.mapped(Self.ct) { $0 > 0 && $0 < 100 ? 1 : 0 }
        let organ = Self.refusal { try Self.lungMask(Self.ct, tissue) } ?? ""
        #expect(organ.contains("mask.nii is no lung mask of ct.nii"), "\(organ)")
        let box = Self.refusal { try Self.lungMask(Self.ct, Self.mapped(Self.ct) { _ in 1 }) } ?? ""
        #expect(box.contains("mask.nii holds") && box.contains("0.5 to 10 l"), "\(box)")
        let outside = Self.refusal { try Self.lungMask(Self.ct, Self.mapped(Self.ct) { $0 < -985 ? 1 : 0 }) } ?? ""
        #expect(outside.contains("mask.nii") && outside.contains("outside of the body"), "\(outside)")
        var part = Self.lung
        for index in part.voxels.indices where index >= 12 * part.shape.sliceVoxelCount { part.voxels[index] = 0 }
        #expect(try Self.lungMask(Self.ct, part).warnings.contains { $0.contains("only a part of them?") })
        let threshold = Self.lung.with(zip(Self.lung.voxels, Self.ct.voxels).map { $0 > 0 && $1 < -500 ? Float(1) : 0 })
        #expect(try Self.lungMask(Self.ct, threshold).warnings.contains { $0.contains("as if by a threshold") })
    }

    /// LUNA16: 3 and 4 are the lungs, 5 is the trachea.
    @Test func labelsChooseTheLungsAndWhatIsNotThereIsNamed() throws {
        let width = Self.lung.shape.width
        var map = Self.lung
        for index in map.voxels.indices where map.voxels[index] > 0 {
            map.voxels[index] = index % width < width / 2 ? 3 : 4
        }
        map.voxels[0] = 5
        let all = try Self.lungMask(Self.ct, map)
        #expect(all.warnings.contains { $0.hasPrefix("Lung mask mask.nii: ") && $0.contains("trachea") })
        let lungs = try Self.lungMask(Self.ct, map, labels: [3, 4])
        #expect(lungs.mask.voxels == Self.phantom.lung.voxels && lungs.warnings.isEmpty)
        let none = Self.refusal { try Self.lungMask(Self.ct, map, labels: [7]) } ?? ""
        #expect(none.contains("mask.nii: the lung mask is empty") && none.contains("its labels are 3, 4, 5"), "\(none)")
    }

    @Test func howFilesAreReadStandsInTheConfigurationOnlyWhereItWasSaid() throws {
        var configuration = LungRunConfiguration(
            preset: .demo, planeHeight: 96, planeWidth: 144, iterations: 1, healthyThreshold: 0.5)
        #expect(!configuration.json().contains("reading"))
        configuration.reading = ReadingOptions(addHU: -1024, maskLabels: [3, 4])
        #expect(configuration.json().contains("\"reading\":{\"addHU\":-1024,\"maskLabels\":[3,4]}"))
        #expect(try LungRunConfiguration(json: configuration.json()) == configuration)
        for hostile in [
            ReadingOptions(addHU: 1e9), ReadingOptions(maskLabels: []), ReadingOptions(maskLabels: [0]),
            ReadingOptions(maskLabels: [65_536]), ReadingOptions(maskLabels: Array(1...1001)),
        ] {
            configuration.reading = hostile
            #expect(Self.refusal { try LungRunConfiguration(json: configuration.json()) } != nil, "\(hostile)")
        }
    }
}
