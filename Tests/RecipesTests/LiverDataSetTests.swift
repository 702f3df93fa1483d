import Foundation
import Imaging
import Numerics
import Recipes
import SynthData
import Testing

@Suite struct LiverDataSetTests {
    /// A data set of two patients on disk: the first without known tumours, the second with.
    final class Files {
        let folder = NSTemporaryDirectory() + "quintet-liver-" + UUID().uuidString
        var manifest: LiverDataSetManifest
        var inputs: [RecipeInput] = []
        let livers: [PreparedLiver]

        init() throws {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let settings = LiverSliceSettings(size: 32)
            livers = [
                try LiverPreparation.run(
                    ct: LiverPreparationTests.file(LiverPreparationTests.patient.ct),
                    liver: LiverPreparationTests.file(
                        LiverPreparationTests.floats(LiverPreparationTests.patient.liver)),
                    settings: settings, pool: LiverPreparationTests.pool),
                try LiverPreparationTests.prepared(settings),
            ]
            manifest = LiverDataSetManifest(settings: settings, patients: [
                .init(name: "a", liver: livers[0], imageDigest: "", imageByteCount: 0),
                .init(name: "b/ct", liver: livers[1], imageDigest: "", imageByteCount: 0, tumourDigest: "",
                      tumourByteCount: 0),
            ])
            for (entry, liver) in zip(manifest.patients, livers) {
                try add(liver.encoded().image, entry.imageName, role: "image")
            }
            try add(Array(JSONText.encode(manifest).utf8), LiverDataSetManifest.fileName, role: "dataset")
        }

        func add(_ bytes: [UInt8], _ name: String, role: String) throws {
            let path = "\(folder)/\(inputs.count)"
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            inputs.append(RecipeInput(role: role, name: name, path: path))
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }
    }

    /// Would notice pixels that lose a grey value on their way through the file, and slices with tumour that are
    /// learnt.
    @Test func aDataSetHoldsThePixelsAndLearnsFromSlicesWithoutTumour() throws {
        let files = try Files(), dataSet = try LiverDataSet(inputs: files.inputs)
        #expect(dataSet.manifest == files.manifest)
        let tumours = try #require(files.livers[1].tumourPixelsBySlice())
        let expected = (0..<7).map { LiverDataSet.Place(patient: 0, slice: $0) }
            + (0..<7).filter { tumours[$0] == 0 }.map { LiverDataSet.Place(patient: 1, slice: $0) }
        #expect(dataSet.cleanSlices == expected && expected.count == 12)
        for place in [expected[0], expected[6], expected[11]] {
            let own = dataSet.withPixels(place) { Array($0) }
            #expect(own == files.livers[place.patient].slice(place.slice).pixels)
        }
        let (image, tumour) = files.livers[1].encoded()
        let written = try NIfTIFile.read(bytes: try #require(tumour), name: "tumour.nii.gz").volume
        #expect(written.voxels.map { UInt8($0) } == files.livers[1].tumour?.voxels)
        #expect(try NIfTIFile.read(bytes: image, name: "image.nii.gz").volume.geometry.spacing.zMM == 2.5)
    }

    /// Would notice a manifest from outside that makes a crash or leaves the folder.
    @Test func aManifestThatContradictsItselfIsRefused() throws {
        let files = try Files()
        let faults: [(String, (inout LiverDataSetManifest) -> Void)] = [
            ("recipe", { $0.recipe = "lung" }), ("format", { $0.format = 9 }), ("size", { $0.settings.size = 1 << 40 }),
            ("no patient", { $0.patients = [] }), ("twice", { $0.patients[1].name = "a" }),
            ("folder", { $0.patients[0].name = "../a" }), ("no slices", { $0.patients[0].sliceIndexes = [] }),
            ("counts", { $0.patients[0].liverPixelsBySlice = [1] }),
            ("pixels", { $0.patients[0].liverPixelsBySlice[2] = 1 << 20 }),
            ("order", { $0.patients[0].sliceIndexes[1] = 1 }), ("negative", { $0.patients[0].sliceIndexes[0] = -1 }),
            ("half", { $0.patients[1].tumourDigest = nil }), ("bytes", { $0.patients[0].imageByteCount = -1 }),
        ]
        try files.manifest.validate()
        for (what, fault) in faults {
            var manifest = files.manifest
            fault(&manifest)
            #expect(throws: RecipeError.self, "\(what)") { try manifest.validate() }
        }
    }

    @Test func missingOrForeignFilesAreNamed() throws {
        let files = try Files()
        func message(_ inputs: [RecipeInput]) -> String {
            do {
                _ = try LiverDataSet(inputs: inputs)
                return ""
            } catch RecipeError.inputRefused(let text) { return text } catch { return "\(error)" }
        }
        #expect(message(files.inputs.filter { $0.role != "dataset" }).contains("dataset.json"))
        #expect(message(files.inputs.filter { $0.name != "b/ct.liver.nii.gz" }).contains("b/ct.liver.nii.gz"))
        var swapped = files.inputs
        swapped[0].path = files.folder + "/foreign"
        let foreign = NIfTIFile.encode(LiverPreparationTests.patient.ct)
        try Data(foreign).write(to: URL(fileURLWithPath: swapped[0].path))
        #expect(message(swapped).contains("a.liver.nii.gz"))
    }

    /// Would notice an epoch that leaves slices out or repeats them, and two epochs, replicas or stages in one order.
    @Test func anEpochShowsEverySliceOnceInAnOrderOfItsOwn() throws {
        let files = try Files(), dataSet = try LiverDataSet(inputs: files.inputs)
        let settings = PseudoAnomalySettings(size: 32)
        func samples(replica: Int = 0, _ stage: LiverSamples.Stage = .restoration) throws -> LiverSamples {
            try LiverSamples(dataSet: dataSet, settings: settings, seed: 9, replica: replica, stage: stage, batch: 5)
        }
        let one = try samples(), orders = [
            one.order(epoch: 0), one.order(epoch: 1), try samples(replica: 1).order(epoch: 0),
            try samples(.segmentation).order(epoch: 0),
        ]
        for order in orders { #expect(order.sorted() == Array(0..<12)) }
        #expect(Set(orders).count == 4)
        #expect(one.iterationCount(epochs: 1) == 3 && one.iterationCount(epochs: 5) == 12)
        // Batches go through the epochs without a gap: sample 12 is the second epoch's first.
        let make = one.newMaker()
        var made = LiverSamples.Sample()
        for position in 0..<24 {
            make(position / 5, position % 5, &made)
            let place = dataSet.cleanSlices[orders[position / 12][position % 12]]
            #expect(made.clean == dataSet.withPixels(place) { Array($0) }, "sample \(position)")
        }
    }

    /// Would notice samples that hang on what a thread made before, and stages that see the same anomalies.
    @Test func aSampleIsAFunctionOfSeedReplicaStageIterationAndNumber() throws {
        let files = try Files(), dataSet = try LiverDataSet(inputs: files.inputs)
        for settings in [PseudoAnomalySettings(size: 32), PseudoAnomalySettings.draem(size: 32)] {
            func made(_ stage: LiverSamples.Stage, _ order: [Int]) throws -> [Int: PseudoAnomalySample] {
                let make = try LiverSamples(
                    dataSet: dataSet, settings: settings, seed: 9, replica: 2, stage: stage, batch: 4).newMaker()
                var sample = LiverSamples.Sample(), all: [Int: PseudoAnomalySample] = [:]
                for number in order {
                    make(number / 4, number % 4, &sample)
                    all[number] = sample.made
                }
                return all
            }
            let forwards = try made(.restoration, Array(0..<16))
            #expect(try made(.restoration, (0..<16).reversed()) == forwards)
            #expect(try made(.segmentation, Array(0..<16)) != forwards)
            #expect(Set(forwards.values).count > 8)
        }
    }

    @Test func samplesOfAnotherSizeThanTheDataSetAreRefused() throws {
        let files = try Files(), dataSet = try LiverDataSet(inputs: files.inputs)
        var odd = PseudoAnomalySettings(size: 32)
        odd.threshold = 999
        for settings in [PseudoAnomalySettings(size: 64), odd] {
            #expect(throws: RecipeError.self) {
                try LiverSamples(
                    dataSet: dataSet, settings: settings, seed: 1, replica: 0, stage: .restoration, batch: 2)
            }
        }
    }
}
