import Foundation
import Platform
import TestSupport
import Testing
import quintet

/// What the program says of itself: help, manual pages and completion are made from what the parser knows.
@Suite struct HelpTests {
    private func output(_ words: String...) throws -> Road.Outcome {
        let road = try Road()
        defer { road.remove() }
        return try road.start(words).wait()
    }

    @Test func helpMarksWhatIsNeededAndTellsThePresetsNumbers() throws {
        let help = try output("help", "train")
        #expect(help.code == 0)
        #expect(help.output == (try output("train", "--help")).output)
        for part in [
            "usage: quintet train --data DATA --run RUN [options]", "a data set made by quintet prepare (needed)",
            "paper 3500, lab 2000, demo 300", "paper 8, lab 4, demo 2",
        ] { #expect(help.output.contains(part), "\(help.output)") }
    }

    @Test(arguments: [
        (["trian"], "did you mean train?"), (["train", "--dta", "x"], "did you mean --data?"),
        (["segmnet"], "did you mean segment?"), (["man", "evalute"], "did you mean evaluate?"),
    ])
    func whoMistypesIsToldTheNearestWord(words: [String], answer: String) throws {
        let road = try Road()
        defer { road.remove() }
        let outcome = try road.start(words).wait()
        #expect(outcome.code == 2 && outcome.errors.contains(answer), "\(outcome.errors)")
        // One prefix is enough.
        #expect(outcome.errors.components(separatedBy: "quintet ").count <= 3, "\(outcome.errors)")
    }

    @Test func aWordThatIsLikeNoneIsComparedWithNone() throws {
        let outcome = try output("xylophone")
        #expect(outcome.code == 2 && !outcome.errors.contains("did you mean"), "\(outcome.errors)")
    }

    /// The first answer would be lost without a word.
    @Test func anOptionThatIsGivenTwiceIsRefused() throws {
        let twice = try output("phantom", "--out", "a", "--out", "b")
        #expect(twice.code == 2 && twice.errors.contains("--out is given twice"), "\(twice.errors)")
    }

    @Test func aTablesCellsAreReadAsSpreadsheetsWriteThem() {
        let text = "\u{FEFF}name,note\r\n\"a, b\",\"say \"\"no\"\"\"\n x ,\n"
        #expect(CSV.rows(text) == [["name", "note"], ["a, b", "say \"no\""], ["x", ""]])
        #expect(CSV.rows("") == [])
        #expect(CSV.rows(CSV.quoted("a\"b,c")) == [["a\"b,c"]])
    }

    /// bash reads the completion and completes an option with it.
    @Test(.enabled(
        if: isHere(FileManager.default.isExecutableFile(atPath: "/bin/bash"), "/bin/bash"), "there is no /bin/bash"))
    func theShellCompletesCommandsAndOptions() throws {
        let road = try Road()
        defer { road.remove() }
        let script = try road.succeed("completion", "bash").output
        let asked = """
            COMP_WORDS=(quintet tr); COMP_CWORD=1; _quintet; echo "${COMPREPLY[@]}"
            COMP_WORDS=(quintet segment --th); COMP_CWORD=2; _quintet; echo "${COMPREPLY[@]}"
            """
        try Data((script + asked).utf8).write(to: URL(fileURLWithPath: road.path("completion.sh")))
        let bash = try ChildProcess(
            executable: "/bin/bash", arguments: [road.path("completion.sh")], output: .file(road.path("completed")))
        #expect(bash.wait() == .code(0))
        let completed = String(decoding: road.bytes("completed") ?? Data(), as: UTF8.self)
        #expect(completed == "train\n--threshold --threads\n", "\(completed)")
    }

    @Test func aManualPageHasEveryOption() throws {
        let page = try output("man", "segment").output
        #expect(page.hasPrefix(".TH QUINTET-SEGMENT 1"))
        for option in ["pairs", "labels", "overwrite"] { #expect(page.contains("\n.B \\-\\-\(option)"), "\(option)") }
        // A line that begins with a dot or a quote would be an instruction.
        let instructions = page.split(separator: "\n").filter { $0.hasPrefix(".") || $0.hasPrefix("'") }
        #expect(instructions.allSatisfy { [".TH", ".SH", ".TP", ".B ", ".nf", ".fi"].contains($0.prefix(3)) })
    }
}
