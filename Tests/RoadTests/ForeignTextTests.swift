import Testing
import quintet

/// Where text and figures from elsewhere come out: reports, tables, the terminal.
@Suite struct ForeignTextTests {
    private static let element = "<img src=x onerror=\"alert(1)\">&'"

    @Test func aReportShowsElementsInNamesAndDoesNotObeyThem() {
        var report = HTMLReport(title: Self.element)
        report.heading(Self.element)
        report.paragraph(Self.element)
        report.table(TextTable(header: [Self.element], rows: [[Self.element]]), emphasised: [Self.element])
        report.picture(png: [1, 2, 3], caption: Self.element)
        let html = report.html()
        #expect(!html.contains("<img src=x") && !html.contains("onerror=\""))
        // Title twice, heading, paragraph, two cells, the picture's alternative and caption.
        #expect(html.components("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;") == 8)
    }

    @Test func aCellThatASpreadsheetWouldComputeIsText() {
        #expect(CSV.quoted("a, \"b\"") == "\"a, \"\"b\"\"\"")
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1"] { #expect(CSV.quoted(formula) == "\"'\(formula)\"") }
        #expect(CSV.quoted("\t=1\u{1B}[2J\n") == "\"\\u0009=1\\u001b[2J\\u000a\"")
    }

    /// `quintet watch` clears the terminal itself, and lets no name of a worker do so.
    @Test func aPageIsDrawnOverTheLastOneAndObeysNothingInIt() {
        let page = Console.page("run 1\nworker \u{1B}[2J\u{9B}1m", isTerminal: true)
        #expect(page == "\u{1B}[H\u{1B}[2Jrun 1\nworker \\u001b[2J\\u009b1m\n")
        #expect(Console.page("run 1", isTerminal: false) == "run 1\n")
    }

    @Test func anyNumberOfSecondsIsADuration() {
        for seconds in [1e300, -1e300, .infinity, -.infinity, .nan, 1e18, -5] {
            #expect(Console.duration(seconds: seconds) == "unknown")
        }
        #expect(Console.duration(seconds: 0.2) == "1 s" && Console.duration(seconds: 3_900) == "1 h 05 min")
        #expect(Console.duration(seconds: 200) == "3 min 20 s")
    }
}

extension String {
    fileprivate func components(_ part: String) -> Int { ranges(of: part).count }
}
