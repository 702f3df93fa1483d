import Foundation
import Imaging
import Recipes
import TestSupport
import Testing
import quintet

/// A folder of DICOM slices is a CT: the right one, or named with what is wrong. Needs quintet-dicom, which `make test`
/// builds and names.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["QUINTET_DICOM"] != nil, "QUINTET_DICOM is not set"))
struct DicomTests {
    static let columns = 5, rows = 4, count = 12

    /// A value for each voxel that no other has.
    static func hu(_ k: Int, _ row: Int, _ column: Int) -> Int { (k * rows + row) * columns + column - 700 }

    /// A whole series, upright, 3 mm apart.
    private static func slices(
        _ series: String = "1.2.3.1", tiltMM: Double = 0, orientation: [Double] = [1, 0, 0, 0, 1, 0],
        normal: [Double] = [0, 0, 1], intercept: (Int) -> Double = { _ in -1024 }
    ) -> [DicomSliceFile] {
        (0..<count).map { k in
            let stored = (0..<rows).flatMap { row in
                (0..<columns).map { Int16(Double(hu(k, row, $0)) - intercept(k)) }
            }
            var position = [-20.5, -60.25, -300].indices.map { [-20.5, -60.25, -300][$0] + 3 * Double(k) * normal[$0] }
            position[1] += tiltMM * Double(k)
            return DicomSliceFile(
                stored: stored, columns: columns, position: position, series: series, orientation: orientation,
                intercept: intercept(k))
        }
    }

    private func road(_ files: [(name: String, bytes: [UInt8])]) throws -> Road {
        let road = try Road()
        for file in files {
            try road.touch("in/" + file.name)
            try Data(file.bytes).write(to: URL(fileURLWithPath: road.path("in/" + file.name)))
        }
        return road
    }

    /// Names that say nothing of the order.
    private func shuffled(_ slices: [DicomSliceFile], in folder: String) -> [(name: String, bytes: [UInt8])] {
        zip((0..<slices.count).shuffled(), slices).map { ("\(folder)/IM\(1000 + $0)", $1.bytes()) }
    }

    private func check(_ image: LoadedImage, hu: (Int, Int, Int) -> Int = Self.hu) {
        let shape = image.volume.shape
        #expect(shape == VolumeShape(depth: Self.count, height: Self.rows, width: Self.columns))
        guard shape.voxelCount == Self.count * Self.rows * Self.columns else { return }
        let expected = (0..<Self.count).flatMap { k in
            (0..<Self.rows).flatMap { row in (0..<Self.columns).map { Float(hu(k, row, $0)) } }
        }
        #expect(image.volume.voxels == expected)
    }

    /// Would notice slices in the order of their names, rows and columns exchanged, PixelSpacing the wrong way round,
    /// axes that are left where NIfTI's are right.
    @Test(arguments: [
        ([1.0, 0, 0, 0, 1, 0], [0.0, 0, 1]), ([0, 1, 0, 0, 0, -1], [-1, 0, 0]),
        ([0.8, 0.6, 0, -0.6, 0.8, 0], [0, 0, 1]), ([-1, 0, 0, 0, 1, 0], [0, 0, -1]),
    ])
    func aSeriesIsItsVolumeInItsPlace(orientation: [Double], normal: [Double]) throws {
        let road = try road(shuffled(Self.slices(orientation: orientation, normal: normal), in: "pat1/export"))
        defer { road.remove() }
        let archive = try Archive([road.path("in")])
        #expect(archive.items.map(\.name) == ["pat1/export"] && archive.refused.isEmpty && archive.notes.isEmpty)
        let image = try #require(try archive.items.first?.read())
        check(image)
        #expect(image.source.warnings.isEmpty)
        for (k, row, column) in [(0, 0, 0), (11, 0, 0), (3, 2, 4)] {
            // PS3.3, C.7.6.2.1: columns go along the row direction. The series' slices go along its normal.
            let lps = (0..<3).map { axis -> Double in
                let start = [-20.5, -60.25, -300][axis] + 3 * Double(k) * normal[axis]
                return start + 1.5 * Double(column) * orientation[axis] + 2.5 * Double(row) * orientation[3 + axis]
            }
            let found = image.volume.geometry.positionMM(z: Double(k), y: Double(row), x: Double(column))
            #expect(abs(found.right + lps[0]) < 1e-4 && abs(found.anterior + lps[1]) < 1e-4)
            #expect(abs(found.superior - lps[2]) < 1e-4)
        }
    }

    /// Would notice the first slice's rescaling for all, and values cut to what 16 bits hold.
    @Test func everySliceHasItsOwnRescaling() throws {
        let road = try road(shuffled(Self.slices(intercept: { -1024 - 10 * Double($0) }), in: "a"))
        defer { road.remove() }
        check(try #require(try Archive([road.path("in")]).items.first).read())
        let halves = Self.slices().map { _ in
            DicomSliceFile(stored: [1, 3], columns: 2, position: [0, 0, 0], slope: 0.5, intercept: 40_000)
        }
        let places = halves.enumerated().map { k, slice in
            var slice = slice
            slice.set(0x0020_0032, "DS", "0\\0\\\(k)")
            return slice
        }
        let other = try self.road(shuffled(places, in: "b"))
        defer { other.remove() }
        let image = try #require(try Archive([other.path("in")]).items.first).read()
        #expect(image.volume.voxels == (0..<Self.count).flatMap { _ in [Float(40_000.5), 40_001.5] })
    }

    /// What is wrong with a series, made so, and what the refusal must say.
    private static let faults: [(word: String, make: @Sendable (inout [DicomSliceFile]) -> Void)] = [
        ("missing slices (1)", { $0.remove(at: 6) }),
        ("doubled slices", { $0.append(DicomTests.slices()[4]) }),
        ("uneven spacing", { $0[6].set(0x0020_0032, "DS", "-20.5\\-60.25\\-281.2") }),
        ("tilted gantry", { $0 = DicomTests.slices(tiltMM: 0.8) }),
        ("mixed orientations", { $0[6].set(0x0020_0037, "DS", "0\\1\\0\\0\\0\\-1") }),
        ("mixed spacings", { $0[6].set(0x0028_0030, "DS", "2.5\\1.6") }),
        ("mixed sizes", { $0[6].set(0x0028_0010, UInt16(3)) }),
        ("RescaleSlope", { $0[6].remove(0x0028_1053) }),
        ("lacks ImagePositionPatient", { $0[6].remove(0x0020_0032) }),
        ("more than any CT has", { for k in $0.indices { $0[k].set(0x0028_0010, UInt16.max) } }),
        ("samples a voxel", { for k in $0.indices { $0[k].set(0x0028_0002, UInt16(3)) } }),
        ("MONOCHROME1", { $0[6].set(0x0028_0004, "CS", "MONOCHROME1") }),
        ("not in HU", { $0[6].set(0x0028_1054, "LO", "Z_EFF") }),
        ("frames in one file", { $0[6].set(0x0028_0008, "IS", "2") }),
        ("two frames", { $0[6].set(0x0020_0052, "UI", "1.2.3.10") }),
        ("only slice", { $0 = [$0[0]] }),
    ]

    /// Each would be a volume that is wrong, without a word.
    @Test(arguments: faults.indices) func whatMakesNoVolumeIsRefusedByName(fault: Int) throws {
        var slices = Self.slices()
        Self.faults[fault].make(&slices)
        let road = try road(shuffled(slices, in: "pat1"))
        defer { road.remove() }
        let archive = try Archive([road.path("in")], mayBeEmpty: true)
        let message = archive.refused.map(\.message).joined()
        #expect(archive.items.isEmpty && archive.refused.map(\.name) == ["pat1"])
        #expect(message.contains(Self.faults[fault].word) && message.contains("in/pat1/IM1"), "\(message)")
    }

    /// Voxels that are cut or compressed in a way that is not read.
    @Test func aDamagedOrForeignSliceIsNamed() throws {
        var files = shuffled(Self.slices(), in: "cut")
        files[5].bytes.removeLast(7)
        files += zip(shuffled(Self.slices("1.2.3.2"), in: "movie"), Self.slices("1.2.3.2")).map {
            ($0.name, $1.bytes(transferSyntax: "1.2.840.10008.1.2.4.102"))
        }
        let road = try road(files)
        defer { road.remove() }
        let archive = try Archive([road.path("in")])
        #expect(archive.refused.map(\.name) == ["movie"] && archive.refused[0].message.contains("MPEG-4"))
        let item = try #require(archive.items.first)
        let error = #expect(throws: Archive.Refusal.self) { try item.read() }
        #expect(error?.description.contains(road.path("in/" + files[5].name)) ?? false, "\(error as Any)")
    }

    /// Would notice series of one folder as one volume, names that move when a localiser comes, an index or another
    /// modality that is taken for a CT, and junk that is passed over in silence.
    @Test func seriesAreFoundByTheirUIDWhereverTheyLie() throws {
        var scout = Self.slices("1.2.3.7")[0], other = Self.slices("1.2.3.8")
        scout.set(0x0008_0008, "CS", "ORIGINAL\\PRIMARY\\LOCALIZER")
        for k in other.indices { other[k].set(0x0008_0060, "CS", "MR") }
        let mixed = shuffled(Self.slices("1.2.3.1"), in: "two") + zip(0..., Self.slices("1.2.3.2")).map {
            ("two/1.2.840.\($0)", $1.bytes())
        }
        let nested = zip(0..., Self.slices("1.2.3.3")).map { ("nested/\($0 % 3)/\($0).dcm", $1.bytes()) }
        let road = try road(mixed + nested + shuffled(other, in: "mr") + [
            ("nested/scout/1.dcm", scout.bytes()), ("nested/DICOMDIR", Array(repeating: 0, count: 128) + "DICM".utf8),
            ("junk/a.dcm", Array("no DICOM at all, as far as anybody can see".utf8)),
            ("nested/copy", Self.slices("1.2.3.3")[0].bytes()),
        ])
        defer { road.remove() }
        // The very same file twice, and not another slice at its place.
        try FileManager.default.removeItem(atPath: road.path("in/nested/copy"))
        try FileManager.default.copyItem(atPath: road.path("in/nested/0/0.dcm"), toPath: road.path("in/nested/copy"))
        let archive = try Archive([road.path("in")])
        let names = archive.items.map(\.name)
        #expect(names.count == 3 && names[0] == "nested" && Set(names).count == 3)
        #expect(names.dropFirst().allSatisfy { $0.hasPrefix("two-") && $0.utf8.count == 12 }, "\(names)")
        for item in archive.items { check(try item.read()) }
        #expect(try archive.items[0].read().source.warnings.contains { $0.contains("Copies") && $0.contains("copy") })
        #expect(archive.refused.map(\.name) == ["junk/a.dcm"], "\(archive.refused)")
        #expect(archive.notes.count == 2 && archive.notes.contains { $0.contains("localiser") }, "\(archive.notes)")
    }

    /// Would notice an answer that differs from that of the same CT as NIfTI, a series that is computed again, and
    /// patients' names or UIDs in anything that is written or sent.
    @Test func theAnswerIsThatOfItsNIfTIAndNothingTellsOfThePatient() throws {
        let road = try Road()
        defer { road.remove() }
        try road.prepareSmallData(diseasedCount: 1)
        let trained = try road.start(["train", "--data", "data", "--run", "run", "--quiet", "--iterations", "6"]
            + PeoplesDataTests.network).wait()
        #expect(trained.code == 0, "\(trained.errors)")
        try export(road, series: "1.2.3.1", to: "export/one/")
        try road.succeed("segment", "--run", "run", "--in", "export", "--out", "masks", "--quiet")
        try road.succeed("segment", "--run", "run", "--in", "phantoms/diseased", "--out", "others", "--quiet")
        for (one, other) in [("masks/one", "others/diseased-00"), ("masks/lungs/one", "others/lungs/diseased-00")] {
            let mine = try ImageFile.read(path: road.path(one + ".nii.gz")).volume
            let its = try ImageFile.read(path: road.path(other + ".nii.gz")).volume
            #expect(placed(mine) == placed(its) && mine.voxels.contains(1))
        }
        let again = try road.start(["segment", "--run", "run", "--in", "export", "--out", "masks"]).wait()
        #expect(again.code == 0 && again.errors.contains("computed 0"), "\(again.errors)")
        let prepared = try road.start(["prepare", "export", "--out", "more", "--preset", "demo"]).wait()
        #expect(prepared.code == 0 && road.bytes("more/dataset.json") != nil, "\(prepared.errors)")
        let words = DicomSliceFile.patientWords + ["1.2.3.1"]
        try noneTells(road, of: words, in: ["masks", "more"])
        try checkWhatIsAskedFor(road, words)
        // Another series of the same voxels comes into the folder: both are called otherwise then.
        try export(road, series: "1.2.3.5", to: "export/one/b")
        let both = try road.start(["segment", "--run", "run", "--in", "export", "--out", "masks"]).wait()
        #expect(both.code == 0 && both.errors.contains("computed 0"), "\(both.errors)")
        let names = try FileManager.default.contentsOfDirectory(atPath: road.path("masks")).filter {
            $0.hasPrefix("one") && $0.hasSuffix(".nii.gz")
        }
        #expect(names.count == 2 && names.allSatisfy { $0.hasPrefix("one-") }, "an answer stays where it is nobody's")
    }

    /// The diseased phantom.
    private func export(_ road: Road, series: String, to stem: String) throws {
        let ct = try ImageFile.read(path: road.path("phantoms/diseased/diseased-00.nii.gz"))
        let shape = ct.volume.shape
        for k in 0..<shape.depth {
            let place = ct.volume.geometry.positionMM(z: Double(k), y: 0, x: 0)
            let values = ct.volume.voxels[(k * shape.sliceVoxelCount)..<((k + 1) * shape.sliceVoxelCount)]
            let file = stem + "\(shape.depth - k)"
            try road.touch(file)
            try Data(slice(ct, Array(values), place, series).bytes()).write(to: URL(fileURLWithPath: road.path(file)))
        }
    }

    /// Of answers that are there already. Would notice an object or a name that nobody asked for, one that goes to the
    /// coordinator (whose state lies in masks/.quintet), and one that outlives the command that was told to keep it.
    private func checkWhatIsAskedFor(_ road: Road, _ words: [String]) throws {
        let segment = ["segment", "--run", "run", "--in", "export", "--out", "masks"]
        let more = try road.start(segment + ["--dicom-seg", "--keep-identity"]).wait()
        #expect(more.code == 0 && more.errors.contains("computed 0"), "\(more.errors)")
        try checkObject(road)
        let table = try CSV.rows(String(decoding: #require(road.bytes("masks/archive.csv")), as: UTF8.self))
        let expected = ["Mustermann^Erika", "4711-A", "", "", "1.2.3.1"]
        #expect(table[0].suffix(5) == ["patient_name", "patient_id", "study_date", "accession_number", "series_uid"])
        #expect(table[1].suffix(5) == expected[...])
        let own = ["one.seg.dcm", "archive.csv", "report.html", ".quintet-archive"]
        try noneTells(road, of: words, in: ["masks"], but: own)
        let before = road.bytes("masks/one.seg.dcm")
        let without = try road.start(segment).wait()
        #expect(without.code == 0 && road.bytes("masks/one.seg.dcm") == before, "\(without.errors)")
        try noneTells(road, of: words, in: ["masks"], but: ["one.seg.dcm"])
        let file = try road.start(
            ["segment", "--run", "run", "--in", "phantoms/diseased", "--out", "n", "--dicom-seg"]).wait()
        #expect(file.code != 0 && file.errors.contains("diseased-00.nii.gz is none"), "\(file.errors)")
        #expect(road.bytes("n/archive.csv") == nil)
    }

    /// The object, read by the standard, against the masks. Would notice frames of other slices, bits in another order,
    /// segments exchanged, another patient's name, and a reference to what is no slice of the series.
    private func checkObject(_ road: Road) throws {
        let object = try DicomElements(file: Array(#require(road.bytes("masks/one.seg.dcm"))))
        #expect(object.text(0x0008_0060) == "SEG" && object.text(0x0062_0001) == "BINARY")
        #expect(object.text(0x0010_0010) == "Mustermann^Erika" && object.text(0x0010_0020) == "4711-A")
        #expect(object.text(0x0020_000D) == "1.2.3" && object.text(0x0020_0052) == "1.2.3.9")
        #expect(object.text(0x0020_000E) != "1.2.3.1")
        let codes = object.items(0x0062_0002).map { $0.items(0x0062_000F).first?.text(0x0008_0100) }
        #expect(codes == ["52988006", "39607008"], "lesion, lung")
        let series = try #require(object.items(0x0008_1115).first)
        let instances = Set(series.items(0x0008_114A).map { $0.text(0x0008_1155) })
        #expect(series.text(0x0020_000E) == "1.2.3.1" && instances.count == series.items(0x0008_114A).count)
        let shared = try #require(object.items(0x5200_9229).first)
        let spacing = try #require(shared.items(0x0028_9110).first).numbers(0x0028_0030)
        let orientation = try #require(shared.items(0x0020_9116).first).numbers(0x0020_0037)
        let rows = object.whole(0x0028_0010), columns = object.whole(0x0028_0011), bits = object.bytes(0x7FE0_0010)
        var places: [Int: Set<[Int]>] = [:]
        for (number, frame) in object.items(0x5200_9230).enumerated() {
            let segment = try #require(frame.items(0x0062_000A).first).whole(0x0062_000B)
            let start = try #require(frame.items(0x0020_9113).first).numbers(0x0020_0032)
            let source = frame.items(0x0008_9124).first?.items(0x0008_2112).first?.text(0x0008_1155)
            #expect(source.map(instances.contains) ?? false)
            for voxel in 0..<(rows * columns) {
                let bit = number * rows * columns + voxel
                guard bits[bit / 8] >> (bit % 8) & 1 == 1 else { continue }
                let lps = (0..<3).map { axis -> Double in
                    start[axis] + Double(voxel % columns) * spacing[1] * orientation[axis]
                        + Double(voxel / columns) * spacing[0] * orientation[3 + axis]
                }
                places[segment, default: []].insert([-lps[0], -lps[1], lps[2]].map { Int(($0 * 10).rounded()) })
            }
        }
        for (segment, file) in [(1, "masks/one"), (2, "masks/lungs/one")] {
            #expect(places[segment] == placed(try ImageFile.read(path: road.path(file + ".nii.gz")).volume))
        }
    }

    private func slice(
        _ ct: LoadedImage, _ values: [Float], _ place: (right: Double, anterior: Double, superior: Double),
        _ series: String
    ) -> DicomSliceFile {
        let affine = ct.volume.geometry.affine
        func direction(_ column: Int) -> (vector: [Double], length: Double) {
            let vector = [-affine[column], -affine[4 + column], affine[8 + column]]
            let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return (vector.map { $0 / length }, length)
        }
        let row = direction(0), column = direction(1)
        return DicomSliceFile(
            stored: values.map { Int16($0 + 1024) }, columns: ct.volume.shape.width,
            position: [-place.right, -place.anterior, place.superior], series: series,
            orientation: row.vector + column.vector, spacingMM: (column.length, row.length))
    }

    /// Which places are inside: files of one grid in another order have the same.
    private func placed(_ volume: Volume<Float>) -> Set<[Int]> {
        let shape = volume.shape
        return Set(volume.voxels.indices.filter { volume.voxels[$0] != 0 }.map { index in
            let place = volume.geometry.positionMM(
                z: Double(index / shape.sliceVoxelCount), y: Double(index % shape.sliceVoxelCount / shape.width),
                x: Double(index % shape.width))
            return [place.right, place.anterior, place.superior].map { Int(($0 * 10).rounded()) }
        })
    }

    private func noneTells(_ road: Road, of words: [String], in folders: [String], but own: [String] = []) throws {
        var count = 0
        for folder in folders {
            let all = try #require(FileManager.default.enumerator(atPath: road.path(folder)))
            for case let name as String in all {
                guard !own.contains(name), let bytes = road.bytes("\(folder)/\(name)") else { continue }
                count += 1
                for word in words {
                    #expect(bytes.range(of: Data(word.utf8)) == nil, "\(folder)/\(name) holds \(word)")
                }
            }
        }
        #expect(count > 5)
    }

    /// What comes back was made of foreign files. Would notice an index or a size that is believed.
    @Test(arguments: [
        "{\"uid\":\"1\",\"isCT\":true,\"columns\":4,\"rows\":4,\"spacing\":[1,1,1],\"files\":[0,99]}",
        "{\"uid\":\"1\",\"isCT\":true,\"columns\":4,\"rows\":4,\"spacing\":[1,1,1],\"files\":[0,0]}",
        "{\"uid\":\"1\",\"isCT\":true,\"columns\":999999999,\"rows\":4,\"spacing\":[1,1,1],\"files\":[0,1]}",
        "{\"uid\":\"1\",\"isCT\":true,\"columns\":4,\"rows\":-4,\"spacing\":[1,1,1],\"files\":[0,1]}",
        "{\"uid\":\"1\",\"isCT\":true,\"columns\":4,\"rows\":4,\"spacing\":[1,1,0],\"files\":[0,1]}",
        "{\"unreadable\":-1,\"reason\":\"\"}", "no JSON",
    ])
    func whatTheProgramSaysIsNotBelieved(line: String) throws {
        let road = try road(shuffled(Self.slices(), in: "pat1"))
        defer { road.remove() }
        try "#!/bin/sh\ncat >/dev/null\necho '\(line)'\n".write(
            toFile: road.path("liar"), atomically: true, encoding: .utf8)
        chmod(road.path("liar"), 0o755)
        let listed = try road.run("dicom", "list", "in", environment: ["QUINTET_DICOM": road.path("liar")])
        #expect(listed.code == 3 && listed.errors.contains("in/pat1: holds DICOM (files: 12)"), "\(listed)")
    }

    /// A file that ends the program costs itself, and is named.
    @Test func aFileThatEndsTheProgramIsLeftOut() throws {
        let road = try road([("a/1.dcm", [1]), ("a/2.dcm", [2]), ("a/3.dcm", [3])])
        defer { road.remove() }
        try """
            #!/bin/sh
            tr '\\0' '\\n' > list.txt
            n=0
            while read -r path; do
                echo "@$n"
                case $path in *2.dcm) kill -SEGV $$ ;; esac
                n=$((n + 1))
            done < list.txt
            """.write(toFile: road.path("frail"), atomically: true, encoding: .utf8)
        chmod(road.path("frail"), 0o755)
        let listed = try road.run("dicom", "list", "in", environment: ["QUINTET_DICOM": road.path("frail")])
        #expect(listed.code == 3 && listed.errors.contains("in/a/2.dcm: quintet-dicom, which read it, was ended by"))
        #expect(!listed.errors.contains("1.dcm") && !listed.errors.contains("3.dcm"), "\(listed.errors)")
    }

    @Test func withoutTheProgramTheCommandSaysHowToGetIt() throws {
        let road = try road(shuffled(Self.slices(), in: "pat1"))
        defer { road.remove() }
        let without = ["QUINTET_DICOM": "", "PATH": road.path("nowhere")]
        for words in [["dicom", "list", "in"], ["prepare", "in", "--out", "data"]] {
            let outcome = try road.start(words, environment: without).wait()
            #expect(outcome.code != 0 && outcome.errors.contains("`make dicom` builds it"), "\(outcome)")
        }
    }

    /// Would notice a list of refused calls that does not hold.
    @Test func theProgramCanWriteNothingAndReachNothing() throws {
        let road = try Road()
        defer { road.remove() }
        let process = Process()
        process.executableURL = URL(
            fileURLWithPath: try #require(ProcessInfo.processInfo.environment["QUINTET_DICOM"]))
        process.arguments = ["check"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0 && text.contains("a socket: ") && !text.contains("POSSIBLE"), "\(text)")
    }
}
