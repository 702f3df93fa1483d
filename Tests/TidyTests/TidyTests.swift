import Foundation
import Testing

/// The repository enforces its own habits (docs/ARCHITECTURE.md, "Habits"), and says why when one is broken.
@Suite struct TidyTests {
    let tree = SourceTree()

    /// Where no file, function or import is seen, nothing below finds anything.
    @Test func theTreeIsSeen() {
        #expect(tree.swiftSources.count > 200 && tree.swiftTests.count > 100)
        #expect(tree.cSources.count > 20 && tree.scripts.count > 5 && tree.allFiles.count > 500)
        #expect(tree.swiftSources.reduce(0) { $0 + $1.functions.count } > 1_000)
        #expect(tree.swiftSources.reduce(0) { $0 + $1.imports.count } > 300)
    }

    @Test func everyTargetImportsOnlyWhatTheTableAllows() {
        for file in tree.swiftSources {
            let allowed = ImportTable.allowed[file.target]
            guard let allowed else {
                Issue.record("\(file.path): target \(file.target) is not in the import table of ImportTable.swift")
                continue
            }
            for module in file.imports where !allowed.contains(module) {
                Issue.record("""
                    \(file.path) imports \(module), which \(file.target) may not. Data flows one way: see the table \
                    in docs/ARCHITECTURE.md. If the design is wrong at that place, change it there and here.
                    """)
            }
        }
    }

    @Test func theTableThePackageAndTheArchitectureSayTheSame() throws {
        let package = try String(contentsOf: tree.root.appendingPathComponent("Package.swift"), encoding: .utf8)
        let architecture = try String(
            contentsOf: tree.root.appendingPathComponent("docs/ARCHITECTURE.md"), encoding: .utf8)
        #expect(!package.contains(".package("), "Package.swift names a Swift package; Quintet uses none")
        for (target, modules) in ImportTable.allowed where target != "quintet" {
            let ours = modules.filter { ImportTable.allowed[$0] != nil || $0.hasPrefix("C") }
            guard let row = package.split(separator: "\n").first(where: { $0.contains("module(\"\(target)\"") }) else {
                Issue.record("Package.swift has no row module(\"\(target)\"")
                continue
            }
            for module in ours {
                #expect(row.contains("\"\(module)\""), "Package.swift lacks \(target) -> \(module) of the table")
            }
            let line = architecture.split(separator: "\n").first { $0.hasPrefix("| \(target) |") }
            let cells = line?.split(separator: "|") ?? []
            let explained = Set((cells.last ?? "").split { $0 == "," || $0 == " " }.map(String.init))
            #expect(explained == ours, "docs/ARCHITECTURE.md lets \(target) import \(explained), the table \(ours)")
        }
    }

    @Test func foreignLibrariesHaveOneDoorEach() {
        for door in ["CSQLite", "CNIfTI", "CZlib", "COpenSSL", "CMicroHTTPD"] {
            let files = tree.swiftSources.filter { $0.imports.contains(door) }.map(\.path)
            #expect(files.count == 1, "one file imports \(door), so that it can be checked and replaced: \(files)")
        }
    }

    @Test func theClockIsReadInPlatformOnly() {
        let clocks = ["Date()", "DispatchTime.now", "ContinuousClock", "clock_gettime(", "gettimeofday("]
        for file in tree.swiftSources where file.target != "Platform" {
            for (number, line) in file.lines.enumerated() where clocks.contains(where: line.contains) {
                Issue.record("""
                    \(file.path):\(number + 1) reads the clock. Time comes in as a parameter or from \
                    Platform.MonotonicClock, so that the cluster can be simulated.
                    """)
            }
        }
    }

    @Test func pureStateMachinesImportNoFoundation() {
        for file in tree.swiftSources where file.path.contains("/Scheduler/") || file.path.contains("/State/") {
            for module in file.imports where ["Foundation", "Platform", "Dispatch", "Glibc"].contains(module) {
                Issue.record("\(file.path) imports \(module): a state machine has no clock, file, socket or thread")
            }
        }
    }

    @Test func linesStayUnder120Columns() {
        for file in tree.swiftSources + tree.swiftTests + tree.cSources {
            for (number, line) in file.lines.enumerated() where line.count > 120 {
                Issue.record("\(file.path):\(number + 1) has \(line.count) columns; two files must fit side by side")
            }
        }
    }

    @Test func functionsFitAScreen() {
        for file in tree.swiftSources {
            for function in file.functions where function.lineCount > 70 {
                Issue.record("""
                    \(file.path):\(function.firstLine) has \(function.lineCount) lines; a function that does not fit \
                    a screen (70 lines) cannot be read at a glance: cut it where its ideas part
                    """)
            }
        }
    }

    @Test func nothingIsLeftOver() {
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "fatal" + "Error(\"not impl", "import " + "XCTest"]
        for file in tree.swiftSources + tree.swiftTests + tree.cSources + tree.scripts {
            for (number, line) in file.lines.enumerated() {
                for mark in marks where line.contains(mark) {
                    Issue.record("\(file.path):\(number + 1) holds \"\(mark)\"; what is open belongs in an issue")
                }
            }
        }
    }

    @Test func aTypeIsNeverCalledLikeItsModule() {
        for file in tree.swiftSources {
            for word in ["struct", "class", "enum", "actor", "protocol"] {
                let declared = file.lines.contains { line in
                    line.contains("\(word) \(file.target) ") || line.contains("\(word) \(file.target):")
                }
                #expect(!declared, "\(file.path): a type called like its module breaks qualified names in Swift")
            }
        }
    }

    @Test func publicDeclarationsOfTheWireAndTheRecipesAreExplained() {
        for file in tree.swiftSources where ["Protocol", "Recipes", "Numerics"].contains(file.target) {
            for type in file.undocumentedPublicTypes {
                #expect(Bool(false), "\(file.path):\(type.line) \(type.name) is public and has no doc comment")
            }
        }
    }

    @Test func nothingLargeOrMadeByAScriptIsCommitted() {
        for file in tree.allFiles where file.byteCount > 512 * 1024 {
            Issue.record("\(file.path) has \(file.byteCount / 1024) KiB; a script should make it instead")
        }
    }
}
