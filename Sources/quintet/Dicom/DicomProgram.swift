import Foundation
import Imaging
import Platform

/// The one door to quintet-dicom: a program of its own, which reads DICOM and holds nothing else, so that a file made
/// to harm meets no token, no connection and no folder that it could write to.
enum DicomProgram {
    static let name = "quintet-dicom"
    /// Where it is, if not beside this program or on PATH.
    static let variable = "QUINTET_DICOM"
    static let remedy = "`make dicom` builds it where quintet was built, quintet's Debian package brings it; or "
        + "convert the series with dcm2niix -z y"

    /// It is not there.
    struct Missing: Error {}

    /// It did not do what it was asked for; the description says what happened, for people.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// A file that ends the program is left out, and the program started again, at most so many times.
    private static let restartCountMax = 20
    private static let silentSecondsMax = 120
    private static let listingByteCountMax = 1 << 30
    private static let headerByteCount = 352

    /// nil where it is not installed.
    static var path: String? {
        if let given = Machine.environment(variable), !given.isEmpty { return given }
        let beside = FileSystem.folder(of: Machine.executablePath) + "/" + name
        let places = [beside] + (Machine.environment("PATH") ?? "").split(separator: ":").map { "\($0)/\(name)" }
        return places.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    // MARK: - Listing

    /// Of the last look: in a folder that is watched only what is new or has changed is listed again.
    private static let latest = Guarded<[String: (files: Set<FolderWalk.File>, listing: DicomListing)]>([:])

    /// What these files are.
    /// - Parameters:
    ///   - files: with the stamps that a walk has seen.
    ///   - root: the folder that was walked through.
    /// - Throws: `Missing`, `Failure`, `RecipeError.interrupted`.
    static func list(_ files: [FolderWalk.File], below root: String) throws -> DicomListing {
        let all = Set(files)
        var listing = DicomListing()
        if let known = latest.withLock({ $0[root] }), !known.files.isDisjoint(with: all) {
            listing = try known.listing.updated(from: known.files, to: files, reading: read)
        } else {
            listing = try read(files)
        }
        latest.withLock { $0[root] = (all, listing) }
        return listing
    }

    /// Every one of these files is opened.
    private static func read(_ files: [FolderWalk.File]) throws -> DicomListing {
        var rest = files, lost: [(file: FolderWalk.File, reason: String)] = []
        while true {
            let answer = try start(["list"], rest, outputByteCountMax: listingByteCountMax)
            try StopWatch.check()
            if answer.end == .exit(.code(0)), var listing = try? DicomListing(output: answer.output, files: rest) {
                listing.unreadable += lost
                return listing
            }
            guard let last = lastIndex(answer.output), rest.indices.contains(last), lost.count < restartCountMax else {
                throw Failure(description: "quintet-dicom \(words(answer))")
            }
            lost.append((rest[last], "quintet-dicom, which read it, \(words(answer))"))
            rest.remove(at: last)
        }
    }

    // MARK: - Reading

    /// The series as the bytes of a NIfTI file, of which every byte follows from the series and nothing tells of the
    /// patient: by its digest an answer is known.
    /// - Parameter source: for messages.
    /// - Throws: `Archive.Refusal`, `RecipeError.interrupted`.
    static func convert(_ series: DicomSeries, source: String) throws -> [UInt8] {
        let voxelCount = series.shape.voxelCount
        let answer = try reading(source) {
            try start(["read", series.uid], series.files, outputByteCountMax: headerByteCount + 4 * voxelCount + 1)
        }
        try StopWatch.check()
        guard answer.end == .exit(.code(0)) else {
            if answer.end == .exit(.code(3)), let reason = refusal(answer.errors) {
                throw Archive.Refusal("\(source): \(reason)")
            }
            throw Archive.Refusal("\(source): quintet-dicom \(words(answer))\(place(answer, series)); get the series "
                + "again from its source")
        }
        let voxelBytes = answer.output.count - headerByteCount
        guard voxelBytes == 2 * voxelCount || voxelBytes == 4 * voxelCount else {
            throw Archive.Refusal("\(source): has changed while it was read; say the same command again")
        }
        return answer.output
    }

    /// Masks of a series as a DICOM SEG object, which tells whose it is as the series does: a file for the archive that
    /// the series came from.
    /// - Parameters:
    ///   - settings: what the object is to say, "key=value" (Sources/quintet-dicom/Segmentation.h).
    ///   - bits: of each segment.
    /// - Throws: `Archive.Refusal`, `RecipeError.interrupted`.
    static func object(
        _ series: DicomSeries, settings: [String], bits: [[UInt8]], source: String
    ) throws -> [UInt8] {
        let shape = series.shape
        // A frame beside its bits, and what stands once for every slice.
        let most = bits.count * (shape.depth + 1) * (shape.sliceVoxelCount / 8 + 4096) + shape.depth * 1024 + 1 << 20
        let texts = [""] + settings + [""]
        let rest = texts.flatMap { Array($0.utf8) + [0] } + bits.joined()
        let answer = try reading(source) {
            try start(["segment", series.uid], series.files, rest: rest, outputByteCountMax: most + 1)
        }
        try StopWatch.check()
        guard answer.end == .exit(.code(0)), answer.output.count <= most else {
            if answer.end == .exit(.code(3)), let reason = refusal(answer.errors) { throw Archive.Refusal(reason) }
            throw Archive.Refusal("\(source): quintet-dicom \(words(answer))\(place(answer, series)) when it made a "
                + "DICOM SEG")
        }
        return answer.output
    }

    /// Whose a series is, which nothing else asks for: only for who says `--keep-identity`.
    /// - Throws: `Archive.Refusal`, `RecipeError.interrupted`.
    static func identity(of series: DicomSeries, source: String) throws -> DicomIdentity {
        let answer = try reading(source) { try start(["identity"], [series.files[0]], outputByteCountMax: 1 << 16) }
        try StopWatch.check()
        if answer.end == .exit(.code(3)), let reason = refusal(answer.errors) { throw Archive.Refusal(reason) }
        guard answer.end == .exit(.code(0)),
            let found = try? JSONDecoder().decode(DicomIdentity.self, from: Data(answer.output)).printable,
            found.seriesUID == series.uid
        else { throw Archive.Refusal("\(source): quintet-dicom \(words(answer)) when it was asked whose it is") }
        return found
    }

    private static func reading<Result>(_ source: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch is Missing {
            throw Archive.Refusal("\(source): \(name) is not there any more: \(remedy) \(source)")
        } catch let failure as Failure {
            throw Archive.Refusal("\(source): \(failure)")
        }
    }

    private static func refusal(_ errors: [UInt8]) -> String? {
        struct Line: Decodable { var refusal: String }
        let line = errors.split(separator: UInt8(ascii: "\n")).last
        let found = line.flatMap { try? JSONDecoder().decode(Line.self, from: Data($0)) }
        return found?.refusal.printable(most: 4000)
    }

    // MARK: - The process

    private static func start(
        _ arguments: [String], _ files: [FolderWalk.File], rest: [UInt8] = [], outputByteCountMax: Int
    ) throws -> PipedProcess.Answer {
        guard let path else { throw Missing() }
        var process = PipedProcess(executable: path, arguments: arguments)
        process.outputBytesMax = outputByteCountMax
        do {
            return try process.run(
                input: files.flatMap { Array($0.path.utf8) + [0] } + rest, silentSecondsMax: silentSecondsMax,
                isStopped: { StopSignal.isRequested })
        } catch {
            throw Failure(description: "\(error); is \(path), named by \(variable), a program?")
        }
    }

    /// The file that the program was at: it says "@NUMBER" before it opens one.
    private static func lastIndex(_ bytes: [UInt8]) -> Int? {
        let line = bytes.split(separator: UInt8(ascii: "\n")).last { $0.first == UInt8(ascii: "@") }
        return line.flatMap { Int(String(decoding: $0.dropFirst(), as: UTF8.self)) }
    }

    /// At which slice it ended.
    private static func place(_ answer: PipedProcess.Answer, _ series: DicomSeries) -> String {
        guard let index = lastIndex(answer.errors), series.files.indices.contains(index) else { return "" }
        return " at \(series.files[index].path)"
    }

    /// How it ended.
    private static func words(_ answer: PipedProcess.Answer) -> String {
        switch answer.end {
        case .exit(.signal(let number)): return "was ended by signal \(number)"
        case .exit(.code(let code)):
            let said = answer.errors.split(separator: UInt8(ascii: "\n")).last.map {
                String(decoding: $0, as: UTF8.self)
            }
            return "failed (exit code \(code)\(said.map { ": " + $0.printable(most: 300) } ?? ""))"
        case .silence: return "said nothing for \(silentSecondsMax) s"
        case .stop: return "was stopped"
        }
    }
}
