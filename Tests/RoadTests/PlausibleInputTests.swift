import Foundation
import Imaging
import Testing

/// Figures that would look right and are not: other units, other grids, other slices, and nothing left out in silence.
@Suite(.serialized) struct PlausibleInputTests {
    private static let grid = ["--preset", "demo", "--spacing", "8,7,7", "--plane", "32,48", "--quiet"]

    private func phantoms() throws -> Road {
        let road = try Road()
        try road.succeed(
            "phantom", "--out", "phantoms", "--count", "1", "--diseased", "2", "--spacing", "4,4,4", "--quiet")
        return road
    }

    /// Writes what a file holds, changed, in another orientation or elsewhere.
    private func write(
        _ road: Road, _ source: String, to target: String, orientation: String = "LPS", shiftMM: Double = 0,
        _ change: (Float) -> Float = { $0 }
    ) throws {
        let file = try ImageFile.read(path: road.path(source))
        var volume = file.volume.with(file.volume.voxels.map(change))
        volume.geometry.affine[3] += shiftMM
        let stored = volume.reoriented(from: file.source.orientation, to: Orientation(code: orientation)!)
        let path = road.path(target)
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(NIfTIFile.encode(stored)).write(to: URL(fileURLWithPath: path))
    }

    private func voxels(_ road: Road, _ path: String) throws -> [Float] {
        try ImageFile.read(path: road.path(path)).volume.voxels
    }

    @Test func aCTThatIsNotInHUIsRefusedByPrepareAndReadByAddHU() throws {
        let road = try phantoms()
        defer { road.remove() }
        func prepare(_ out: String, _ ct: String, _ more: String...) throws -> Road.Outcome {
            try road.start(["prepare", ct, "--masks", "phantoms/lungs", "--out", out] + Self.grid + more).wait()
        }
        // Whole numbers, as scanners write them.
        try write(road, "phantoms/healthy/healthy-00.nii.gz", to: "plain/healthy-00.nii") { $0.rounded() }
        try write(road, "plain/healthy-00.nii", to: "shifted/healthy-00.nii") { $0 + 1024 }
        let refused = try prepare("data-shifted", "shifted")
        #expect(refused.code == 1)
        #expect(try prepare("data-plain", "plain").code == 0)
        #expect(try prepare("data-added", "shifted", "--add-hu", "-1024").code == 0)
        let image = "healthy-00.image.nii.gz"
        #expect(try voxels(road, "data-plain/\(image)").contains { $0 > 0 })
        #expect(try voxels(road, "data-plain/\(image)") == voxels(road, "data-added/\(image)"))
        for words in [["--add-hu", "many"], ["--labels", "3;4"], ["--labels", "0"], ["--labels", ""]] {
            let wrong = try road.start(["prepare", "plain", "--out", "wrong"] + words).wait()
            #expect(wrong.code == 2 && wrong.errors.contains(words[0]), "\(words): \(wrong.errors)")
        }
    }

    /// One train, then what segment reads with it, here and at a worker.
    @Test func howFilesAreReadTravelsToWorkersAndThinScansAreRefusedInTheTable() throws {
        let road = try phantoms()
        defer { road.remove() }
        let data = try road.start(
            ["prepare", "phantoms/healthy", "--masks", "phantoms/lungs", "--out", "data"] + Self.grid).wait()
        #expect(data.code == 0, "\(data.errors)")
        try road.succeed(
            "train", "--data", "data", "--run", "run", "--replicas", "1", "--slab", "8", "--channels", "8,16",
            "--strides", "2", "--batch", "2", "--iterations", "4", "--quiet")
        try write(road, "phantoms/diseased/diseased-00.nii.gz", to: "plain/a.nii") { $0.rounded() }
        try write(road, "plain/a.nii", to: "shifted/a.nii") { $0 + 1000 }
        try write(road, "phantoms/lungs/diseased-00.nii.gz", to: "lungs/a.nii") { $0 * 3 }
        func segment(_ ct: String, _ out: String, _ more: String...) throws -> Road.Outcome {
            try road.start(
                ["segment", "--run", "run", "--in", ct, "--masks", "lungs", "--out", out, "--quiet"] + more).wait()
        }
        #expect(try segment("plain", "masks-plain").code == 0)
        let refused = try segment("shifted", "masks-refused")
        let table = String(decoding: road.bytes("masks-refused/archive.csv") ?? Data(), as: UTF8.self)
        #expect(refused.code == 1 && table.contains("--add-hu -1000"), "\(table)")
        #expect(try segment("shifted", "masks-added", "--add-hu", "-1000", "--labels", "3").code == 0)
        #expect(try voxels(road, "masks-plain/a.nii.gz").contains { $0 > 0 })
        #expect(try voxels(road, "masks-plain/a.nii.gz") == voxels(road, "masks-added/a.nii.gz"))

        // One slice of 4 mm: what the same slice has in its volume is not found in it.
        let file = try ImageFile.read(path: road.path("plain/a.nii"))
        let shape = VolumeShape(depth: 1, height: file.volume.shape.height, width: file.volume.shape.width)
        let middle = file.volume.shape.depth / 2 * shape.voxelCount
        for (folder, voxels) in [("thin", file.volume.voxels), ("lungs", try voxels(road, "lungs/a.nii"))] {
            let slice = Volume(
                shape: shape, geometry: file.volume.geometry,
                voxels: Array(voxels[middle..<(middle + shape.voxelCount)]))
            try FileManager.default.createDirectory(atPath: road.path(folder), withIntermediateDirectories: true)
            try Data(NIfTIFile.encode(slice)).write(to: URL(fileURLWithPath: road.path("\(folder)/thin.nii")))
        }
        #expect(try segment("thin", "masks-thin").code == 1)
        let thin = String(decoding: road.bytes("masks-thin/archive.csv") ?? Data(), as: UTF8.self)
        #expect(thin.contains("thin.nii has 1 slice of 4 mm") && thin.contains("12 mm"), "\(thin)")
    }

    @Test func aVoteIsTheSameHoweverItsFilesAreStoredAndForeignGridsAreNamed() throws {
        let road = try phantoms()
        defer { road.remove() }
        let name = "diseased-00.nii.gz"
        // Healthy: lung that is no lesion.
        let lesion = try voxels(road, "phantoms/lesions/\(name)")
        let lung = try ImageFile.read(path: road.path("phantoms/lungs/\(name)"))
        let healthy = lung.volume.with(zip(lung.volume.voxels, lesion).map { $0 > 0 && $1 == 0 ? Float(1) : 0 })
        try Data(NIfTIFile.encode(healthy)).write(to: URL(fileURLWithPath: road.path("healthy.nii")))
        try write(road, "healthy.nii", to: "v/LPS.nii")
        try write(road, "healthy.nii", to: "v/RAS.nii", orientation: "RAS")
        try write(road, "healthy.nii", to: "v/SPL.nii", orientation: "SPL") { $0 * 2 }
        try write(road, "healthy.nii", to: "v/away.nii", shiftMM: 80)
        try write(road, "phantoms/lungs/\(name)", to: "v/lung-IRA.nii", orientation: "IRA")
        // One that is smaller than the vessels are.
        var left = 200
        try write(road, "phantoms/lesions/\(name)", to: "v/lesions.nii") { value in
            left -= value > 0 ? 1 : 0
            return left >= 0 ? value : 0
        }
        func vote(_ out: String, lung: String, _ votes: String...) throws -> Road.Outcome {
            try road.start(
                ["vote", "--ct", "phantoms/diseased/\(name)", "--mask", lung, "--out", out, "--json", "--votes"] + votes
            ).wait()
        }
        let aligned = try vote("aligned", lung: "phantoms/lungs/\(name)", "v/LPS.nii")
        #expect(aligned.code == 0, "\(aligned.errors)")
        let turned = try vote("turned", lung: "v/lung-IRA.nii", "v/RAS.nii", "v/SPL.nii", "v/LPS.nii")
        #expect(turned.code == 0, "\(turned.errors)")
        #expect(turned.errors.contains("v/SPL.nii holds the same votes as v/RAS.nii"), "\(turned.errors)")
        for file in ["vote", "lesions", "lesions-without-growing"] {
            let expected = try voxels(road, "aligned/\(file).nii.gz")
            #expect(expected.contains(1))
            #expect(try voxels(road, "turned/\(file).nii.gz") == expected)
        }
        let away = try vote("away", lung: "phantoms/lungs/\(name)", "v/LPS.nii", "v/away.nii")
        #expect(away.code == 1 && away.errors.contains("v/away.nii") && away.errors.contains("80.0 mm away"))
        #expect(road.bytes("away/lesions.nii.gz") == nil)
        let mistaken = try vote("mistaken", lung: "phantoms/lungs/\(name)", "v/lesions.nii")
        #expect(mistaken.code == 0 && !aligned.errors.contains("masks of lesions"))
        #expect(mistaken.errors.contains("are they masks of lesions?"), "\(mistaken.errors)")
    }

    private struct Row: Decodable {
        struct Summary: Decodable {
            var mean: Double
            var count: Int
        }
        var answer: String
        var dice: Summary?
    }

    @Test func answersAreComparedWhereTheyLieAndNothingIsLeftOutInSilence() throws {
        let road = try phantoms()
        defer { road.remove() }
        func dice(_ truth: String, _ more: String...) throws -> (dice: Double?, outcome: Road.Outcome) {
            let outcome = try road.start(["evaluate", "--pred", "pred", "--truth", truth, "--json"] + more).wait()
            let rows = try? JSONDecoder().decode([Row].self, from: Data(outcome.output.utf8))
            return (rows?.first { $0.answer == "vote" }?.dice?.mean, outcome)
        }
        for name in ["diseased-00", "diseased-01"] {
            try write(road, "phantoms/lesions/\(name).nii.gz", to: "pred/\(name).nii.gz")
        }
        let first = "phantoms/lesions/diseased-00.nii.gz"
        try write(road, first, to: "turned/diseased-00.nii.gz", orientation: "SAR")
        let turned = try dice("turned")
        #expect(turned.dice == 1, "\(turned.outcome.errors)")
        #expect(turned.outcome.errors.contains("1 answers in pred have no truth") && turned.outcome.code == 0)
        #expect(turned.outcome.errors.contains("diseased-01"))

        // A map of lung 1 and lesion 2: by its label the lesion, without it nearly everything.
        let lesion = try voxels(road, first)
        let lung = try ImageFile.read(path: road.path("phantoms/lungs/diseased-00.nii.gz"))
        let map = lung.volume.with(zip(lung.volume.voxels, lesion).map { $1 > 0 ? 2 : $0 })
        try FileManager.default.createDirectory(atPath: road.path("map"), withIntermediateDirectories: true)
        try Data(NIfTIFile.encode(map)).write(to: URL(fileURLWithPath: road.path("map/diseased-00.nii")))
        #expect(try dice("map", "--labels", "2").dice == 1)
        let all = try dice("map"), inside = map.voxels.filter { $0 > 0 }.count, ill = lesion.filter { $0 > 0 }.count
        #expect(abs((all.dice ?? 0) - 2 * Double(ill) / Double(ill + inside)) < 1e-9)
        #expect(all.outcome.errors.contains("All its labels 1, 2 count as inside"), "\(all.outcome.errors)")

        try write(road, first, to: "away/diseased-00.nii.gz", shiftMM: 80)
        let away = try dice("away")
        #expect(away.dice == nil && away.outcome.code == 1 && away.outcome.errors.contains("80.0 mm away"))
        try write(road, first, to: "empty/diseased-00.nii.gz") { _ in 0 }
        #expect(try dice("empty").outcome.errors.contains("empty/diseased-00.nii.gz: the truth is empty"))
        try write(road, first, to: "strange/other.nii.gz")
        try write(road, first, to: "strange/diseased-00.nii.gz")
        let strange = try dice("strange")
        #expect(strange.outcome.code == 3 && strange.outcome.errors.contains("there is no answer other.nii.gz"))

        let text = try road.run("evaluate", "--pred", "pred", "--truth", "phantoms/lesions")
        #expect(text.output.contains("Dice % (n = 2)"), "\(text.output)")
    }

    private struct Manifest: Decodable {
        struct Entry: Decodable { var excludedSlices: [Int] }
        var volumes: [Entry]
    }

    @Test func slicesToLeaveOutAreOfThisScanAndOfItsAxialSlices() throws {
        let road = try phantoms()
        defer { road.remove() }
        let depth = try ImageFile.read(path: road.path("phantoms/healthy/healthy-00.nii.gz")).volume.shape.depth
        func excluded(_ orientation: String, _ slices: ClosedRange<Int>) throws -> (Set<Int>, Road.Outcome) {
            let folder = "ct-\(orientation)"
            try write(
                road, "phantoms/healthy/healthy-00.nii.gz", to: "\(folder)/a.nii.gz", orientation: orientation)
            try write(
                road, "phantoms/lungs/healthy-00.nii.gz", to: "\(folder)-lungs/a.nii.gz", orientation: orientation)
            try Data(("slice_z\n" + slices.map { "\($0)\n" }.joined()).utf8)
                .write(to: URL(fileURLWithPath: road.path("slices.csv")))
            let outcome = try road.start(
                [
                    "prepare", folder, "--masks", "\(folder)-lungs", "--out", "data", "--leave-out", "slices.csv",
                    "--json", "--preset", "demo", "--spacing", "4,7,7", "--plane", "32,48",
                ]).wait()
            let manifest = try? JSONDecoder().decode(Manifest.self, from: Data(outcome.output.utf8))
            return (Set(manifest?.volumes[0].excludedSlices ?? []), outcome)
        }
        // On a grid with the file's own slices; one of them may touch its neighbours by rounding.
        let (upright, _) = try excluded("LPS", 20...24)
        #expect(upright.isSuperset(of: 20...24) && upright.isSubset(of: 19...25), "\(upright.sorted())")
        // Counted as the file stores them: from the head where it is stored so.
        let (flipped, _) = try excluded("LPI", 20...24)
        #expect(flipped.isSuperset(of: (depth - 25)...(depth - 21)), "\(flipped.sorted())")
        #expect(flipped.isSubset(of: (depth - 26)...(depth - 20)), "\(flipped.sorted())")
        for (orientation, slices, part) in [
            ("SPL", 20...24, "third axis"), ("LPS", (depth + 5)...(depth + 9), "the table is of another scan"),
            ("LPS", 1...depth, "counted from 0 here"), ("LPS", 0...(depth - 1), "leaves no slice"),
        ] {
            let (_, outcome) = try excluded(orientation, slices)
            #expect(outcome.code == 1 && outcome.errors.contains("a.nii.gz: ") && outcome.errors.contains(part),
                "\(outcome.errors)")
        }
    }
}
