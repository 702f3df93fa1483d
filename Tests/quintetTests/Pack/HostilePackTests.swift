import Foundation
import Platform
import Recipes
import Testing
import quintet

/// Packs come from strangers: one that is not what it says is refused before anything is written.
@Suite struct HostilePackTests {
    private static let weights = Array("these are weights".utf8), card = Array("# a card\n".utf8)

    /// A run of one replica, whose weights nobody looks into.
    private static func description(replica digest: String) -> [UInt8] {
        let settings = LungRunConfiguration(
            preset: .demo, planeHeight: 96, planeWidth: 144, iterations: 2, healthyThreshold: 0.5)
        return Array("""
            {"calibration": {}, "configuration": \(settings.json()), "dataSetDigest": "", "format": 1,
            "recipe": "lung-normnet", "replicaCount": 1, "replicaDigests": ["\(digest)"], "seed": 1, "version": "0.1.0"}
            """.utf8)
    }

    private static func digest(_ bytes: [UInt8]) -> String { Hexadecimal.text(SHA256.digest(of: bytes)) }

    private typealias File = (name: String, bytes: [UInt8])

    private static let good: [File] = [
        ("MODEL_CARD.md", card), ("run.json", description(replica: digest(weights))),
        ("replica-0.safetensors", weights),
    ]

    private static func manifest(_ files: [File], format: Int = 1) -> [File] {
        let lines = files.map { file in
            "{\"name\": \"\(file.name)\", \"byteCount\": \(file.bytes.count), \"sha256\": \"\(digest(file.bytes))\"}"
        }
        let text = Array("""
            {"format": \(format), "version": "0.1.0", "recipe": "lung-normnet",
            "files": [\(lines.joined(separator: ","))]}
            """.utf8)
        return [
            ("quintet-pack.json", text),
            ("quintet-pack.sha256", Array("\(digest(text))  quintet-pack.json\n".utf8)),
        ]
    }

    /// Also with headers that no honest program writes.
    /// - Parameter number: of the file whose header is changed.
    private static func tar(
        _ files: [File], changing number: Int? = nil, _ change: (inout [UInt8]) -> Void = { _ in }
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        for (place, file) in files.enumerated() {
            var header = TarFile.header(name: file.name, byteCount: file.bytes.count)
            if place == number {
                change(&header)
                sign(&header)
            }
            bytes += header + file.bytes + TarFile.padding(byteCount: file.bytes.count)
        }
        return bytes + TarFile.end
    }

    /// The checksum fits again.
    private static func sign(_ header: inout [UInt8]) {
        for place in 148..<156 { header[place] = 0x20 }
        let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
        let text = String(repeating: "0", count: 6 - sum.count) + sum + "\0 "
        header.replaceSubrange(148..<156, with: text.utf8)
    }

    /// - Returns: why it is refused; nil where it is not.
    private static func refusal(_ bytes: [UInt8]) throws -> String? {
        let folder = NSTemporaryDirectory() + "quintet-pack-" + UUID().uuidString
        try FileSystem.makeFolder(folder)
        defer { try? FileSystem.removeTree(folder) }
        let path = folder + "/a.tar"
        try AtomicFile.write(bytes, to: path)
        do {
            _ = try RunPack(path, in: .standard)
            return nil
        } catch {
            #expect("\(error)".contains(path) && "\(error)".contains("nothing was written"), "\(error)")
            #expect(try FileSystem.list(folder) == ["a.tar"])
            return "\(error)"
        }
    }

    private static func whole(_ files: [File] = good) -> [File] { manifest(files) + files }

    @Test func aPackThatIsWhatItSaysIsTaken() throws {
        #expect(try Self.refusal(Self.tar(Self.whole())) == nil)
    }

    private static func put(_ text: String, at place: Int) -> (inout [UInt8]) -> Void {
        { $0.replaceSubrange(place..<place + text.utf8.count, with: text.utf8) }
    }

    /// Names that leave the folder, hide in it or mean something elsewhere, in either place where tar has names.
    @Test(arguments: [
        "../../x", "/etc/passwd", "a/b", "..", ".bashrc", "-rf", "a b", "a\nb", "a\\b", "\u{E9}", "",
    ])
    func namesThatLeadElsewhereAreRefused(name: String) throws {
        let named = try Self.refusal(Self.tar(Self.whole(), changing: 4) { header in
            for place in 0..<100 { header[place] = 0 }
            Self.put(name, at: 0)(&header)
        })
        #expect(named?.contains("which no pack has") ?? false, "\(named ?? "taken")")
    }

    @Test func aFolderBeforeANameIsRefused() throws {
        let prefixed = try Self.refusal(Self.tar(Self.whole(), changing: 3, Self.put("../up", at: 345)))
        #expect(prefixed?.contains("which no pack has") ?? false, "\(prefixed ?? "taken")")
    }

    /// Hard and symbolic links, devices, folders, pipes, and the extensions that carry other names and sizes.
    @Test(arguments: ["1", "2", "3", "4", "5", "6", "7", "L", "K", "g", "x", "S", "\0"])
    func whatIsNoFileIsRefused(kind: String) throws {
        let refused = try Self.refusal(Self.tar(Self.whole(), changing: 4, Self.put(kind, at: 156)))
        #expect(refused?.contains("something else than a file") ?? false, "\(refused ?? "taken")")
        let linked = try Self.refusal(Self.tar(Self.whole(), changing: 4, Self.put("run.json", at: 157)))
        #expect(linked?.contains("something else than a file") ?? false, "\(linked ?? "taken")")
    }

    /// Beyond the file, beyond what an address holds, negative, in GNU's binary notation.
    @Test(arguments: ["00000002000", "77777777777", "-0000000001", "           ", "0x000000010", "\u{01}"])
    func sizesThatCannotBeAreRefused(size: String) throws {
        for number in 0...4 {
            let refused = try Self.refusal(Self.tar(Self.whole(), changing: number, Self.put(size, at: 124)))
            #expect(refused != nil, "\(size) of file \(number) was taken")
        }
        let binary = try Self.refusal(Self.tar(Self.whole(), changing: 4) { $0[124] = 0x80 })
        #expect(binary != nil)
    }

    @Test func doubleMissingAndFurtherFilesAreRefused() throws {
        let twice = try Self.refusal(Self.tar(Self.whole() + [Self.good[1]]))
        #expect(twice?.contains("twice") ?? false, "\(twice ?? "taken")")
        let extra: File = ("evil.sh", Array("rm -rf ~".utf8))
        #expect(try Self.refusal(Self.tar(Self.whole() + [extra])) != nil)
        // Named, too.
        let named = try Self.refusal(Self.tar(Self.whole(Self.good + [extra])))
        #expect(named?.contains("belong to no run") ?? false, "\(named ?? "taken")")
        #expect(try Self.refusal(Self.tar(Self.whole(Array(Self.good.dropLast())))) != nil)
        #expect(try Self.refusal(Self.tar(Array(Self.whole().dropFirst(2)))) != nil)
        let manyFiles: [File] = (0..<1001).map { ("a\($0)", []) }
        #expect(try Self.refusal(Self.tar(Self.whole(manyFiles))) != nil)
    }

    /// Bytes that changed on the way, wherever; weights of another run under a manifest that fits them.
    @Test func whatWasChangedIsRefused() throws {
        let bytes = Self.tar(Self.whole())
        for place in stride(from: 0, to: bytes.count - TarFile.end.count, by: 61) where bytes[place] != 0 {
            var changed = bytes
            changed[place] ^= 1
            #expect(try Self.refusal(changed) != nil, "a changed byte \(place) was taken")
        }
        for cut in [1, 512, 1024, 1025, 1600, bytes.count - 1, bytes.count] {
            #expect(try Self.refusal(Array(bytes.dropLast(cut))) != nil || cut <= 512, "cut by \(cut), and taken")
        }
        #expect(try Self.refusal(bytes + Array("more".utf8)) != nil)
        var other = Self.good
        other[2].bytes = Array("other weights, yes".utf8)
        let swapped = try Self.refusal(Self.tar(Self.whole(other)))
        #expect(swapped?.contains("that its run.json names") ?? false, "\(swapped ?? "taken")")
    }

    @Test func descriptionsOfWhatCannotBeAreRefused() throws {
        let later = try Self.refusal(Self.tar(Self.manifest(Self.good, format: 2) + Self.good))
        #expect(later?.contains("later quintet") ?? false, "\(later ?? "taken")")
        for (old, new) in [
            ("\"replicaCount\": 1", "\"replicaCount\": 1000000"), ("\"slabDepth\":16", "\"slabDepth\":99999999"),
            ("lung-normnet", "../lung"), ("\"format\": 1", "\"format\": 9"),
        ] {
            var files = Self.good
            let text = String(decoding: files[1].bytes, as: UTF8.self)
            #expect(text.contains(old))
            files[1].bytes = Array(text.replacing(old, with: new).utf8)
            #expect(try Self.refusal(Self.tar(Self.whole(files))) != nil, "\(new) was taken")
        }
    }
}
