import Foundation
import Imaging
import Numerics
import Protocol

/// The CTs that a command was pointed at: files, or folders with files somewhere below.
struct Archive {
    struct Item {
        /// Unique among the items, fit for a file name.
        var name: String
        var path: String

        /// The name travels with the file, and stands in logs: what no message may hold is said here, before the
        /// others are held up by it.
        /// - Throws: `Refusal` naming the file.
        func checkName() throws {
            let file = Archive.fileName(path)
            guard file.utf8.count <= Limits.nameBytesMax else {
                throw Refusal("\(file.printable(most: 60)): its name has \(file.utf8.count) bytes, more than "
                    + "\(Limits.nameBytesMax); rename it")
            }
            guard file == file.printable(most: .max) else {
                throw Refusal("\(file.printable()): its name holds control characters; rename it")
            }
        }
    }

    /// A file that cannot be used; the others can.
    struct Refusal: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
    }

    private(set) var items: [Item] = []

    /// - Throws: `UsageError` when a path does not exist or nothing readable is there.
    init(_ paths: [String]) throws {
        var found: [(relative: String, path: String)] = []
        for path in paths {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw UsageError("\(path) does not exist")
            }
            guard isFolder.boolValue else {
                found.append((Self.fileName(path), path))
                continue
            }
            guard let walk = FileManager.default.enumerator(atPath: path) else {
                throw UsageError("the folder \(path) can't be listed; check its permissions")
            }
            for case let relative as String in walk where Self.isImage(relative) {
                found.append((relative, path + "/" + relative))
            }
        }
        guard !found.isEmpty else {
            throw UsageError("there is no CT in \(paths.joined(separator: ", ")); "
                + "quintet reads .nii, .nii.gz, .hdr/.img, .mhd and .mha")
        }
        found.sort { $0.relative < $1.relative }
        var taken: Set<String> = []
        // Where to look on for a free number: an archive may have 100,000 files of one name.
        var nextNumbers: [String: Int] = [:]
        for (relative, path) in found {
            // Short where that is unique, with the folders in it where not.
            var name = Self.stem(Self.fileName(relative))
            if taken.contains(name) { name = Self.stem(relative.replacingOccurrences(of: "/", with: "_")) }
            let stem = Self.stem(Self.fileName(relative))
            var number = nextNumbers[stem] ?? 2
            while taken.contains(name) {
                name = stem + "-\(number)"
                number += 1
                nextNumbers[stem] = number
            }
            taken.insert(name)
            items.append(Item(name: name, path: path))
        }
    }

    private static func isImage(_ path: String) -> Bool {
        let name = fileName(path)
        return !name.hasPrefix(".") && ImageFile.isReadable(name)
    }

    static func fileName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    /// "a.nii.gz" -> "a"; characters that would be awkward in a file name become "_".
    static func stem(_ name: String) -> String {
        var stem = ImageFile.stem(name)
        stem = String(stem.map { $0.isLetter || $0.isNumber || "-_.+".contains($0) ? $0 : "_" })
        while stem.hasPrefix(".") { stem.removeFirst() }
        return stem.isEmpty ? "volume" : cut(stem)
    }

    /// To what leaves room for a number and the endings of files that are made from it. Bytes, since a file system
    /// counts them, and a character may have any number of them.
    private static func cut(_ stem: String) -> String {
        var result = "", count = 0
        for scalar in stem.unicodeScalars {
            count += String(scalar).utf8.count
            if count > 120 { break }
            result.unicodeScalars.append(scalar)
        }
        return result
    }
}

/// Masks that belong to CTs: a folder with files of the same names, or one file for one CT.
struct MaskFolder {
    private let path: String
    private let byName: [String: String]
    private let isFolder: Bool

    init(_ path: String) throws {
        self.path = path
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw UsageError("\(path) does not exist")
        }
        isFolder = isDirectory.boolValue
        byName = isFolder
            ? Dictionary(
                try Archive([path]).items.map { ($0.name, $0.path) }, uniquingKeysWith: { first, _ in first })
            : [:]
    }

    /// - Parameter count: how many CTs there are in all.
    /// - Throws: `Archive.Refusal` naming both.
    func mask(for item: Archive.Item, of count: Int) throws -> String {
        if !isFolder {
            guard count == 1 else {
                throw UsageError("--masks is one file, and there are \(count) CTs; give a folder of masks that are "
                    + "named like the CTs")
            }
            return path
        }
        guard let mask = byName[item.name] else {
            throw Archive.Refusal("\(item.path): there is no mask \(item.name).nii.gz in \(path); add it, or "
                + "leave --masks out to have all masks made")
        }
        return mask
    }
}
