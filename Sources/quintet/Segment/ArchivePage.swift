import Foundation
import Imaging
import Numerics
import Platform
import Recipes

/// report.html: an archive's answers to look at. One file without network; the rows are in it as data, of which a small
/// script shows a page at a time, searched and sorted, so that 20,000 of them are as quick as 20. Without scripts it
/// still has counts, distributions, what was refused and the pictures; archive.csv has every row.
struct ArchivePage {
    static let name = "report.html"
    static let pictureFolder = "report-pictures"
    /// Most involved, and again those where replicas agree least.
    private static let pictureCount = 6
    private static let slowestCount = 10
    private static let refusedShownCount = 200

    private let plan: SegmentationPlan
    private let rows: [AnswerRow]
    private let done: [AnswerRow]
    private let refused: [AnswerRow]

    init(_ table: AnswerTable, _ plan: SegmentationPlan) {
        self.plan = plan
        rows = table.allRows
        done = rows.filter { $0.refused == nil }
        refused = rows.filter { $0.refused != nil }
    }

    private var guide: AnswerGuide { plan.guide }
    private var figures: [AnswerFigure] { guide.figures.filter { !$0.isDetail } }

    func write() throws {
        var pictures = ArchivePictures(plan)
        // Of few CTs all are shown, those without a finding, too.
        let isAllShown = done.count <= Self.pictureCount
        let mostInvolved = isAllShown ? done : top { $0.figures[guide.rankedBy] ?? 0 }
        let leastAgreed = isAllShown ? [] : guide.agreement.map { figure in
            top { row in row.figures[figure].map { 100 - $0 } ?? -1 }.filter { $0.figures[figure] != nil }
        } ?? []
        pictures.make(mostInvolved + leastAgreed)
        let report = HTMLReport(
            title: "\(Text.count(done.count, "answer")) in \(Archive.fileName(plan.output.path))")
        var page = report
        page.paragraph(summary)
        if let histograms = histograms() {
            page.heading("Distributions")
            page.add(html: histograms)
        }
        page.heading(isAllShown ? "Answers" : "Most involved")
        page.add(html: gallery(mostInvolved, pictures))
        if !leastAgreed.isEmpty {
            page.heading("Where the replicas agree least")
            page.add(html: gallery(leastAgreed, pictures))
        }
        slowest(into: &page)
        refusals(into: &page)
        page.heading("All of \(Text.count(rows.count, "CT"))")
        page.add(html: rowsHTML())
        page.heading("How it was made")
        page.paragraph(origin)
        try plan.output.write(page.html(), to: Self.name)
    }

    private func top(_ score: (AnswerRow) -> Double) -> [AnswerRow] {
        Array(done.map { (score($0), $0) }.filter { $0.0 > 0 }.sorted {
            ($1.0, $0.1.name) < ($0.0, $1.1.name)
        }.prefix(Self.pictureCount).map(\.1))
    }

    // MARK: - Words

    private var summary: String {
        let seconds = done.compactMap(\.seconds).sorted()
        var text = "\(Text.count(rows.count, "CT")): \(Text.count(done.count, "answer")), \(refused.count) refused"
        let warned = done.count { !($0.warnings ?? []).isEmpty }
        if warned > 0 { text += ", \(warned) with warnings" }
        if !seconds.isEmpty {
            text += String(
                format: ". Workers computed %.1f s on one of them (median; all together %@)",
                seconds[seconds.count / 2], Console.duration(seconds: seconds.reduce(0, +)))
        }
        return text + "."
    }

    private var origin: String {
        let run = plan.run.description
        return "\(Version.build), \(WallClock.nowText()), recipe \(run.recipe), the run \(plan.run.path) "
            + "(\(run.replicaCount) replicas, trained by \(run.version), seed \(run.seed)), settings "
            + plan.settings.answerIdentity.json() + ". Per CT: archive.csv beside this page."
    }

    // MARK: - Distributions

    /// nil where there are too few answers for them.
    private func histograms() -> String? {
        let charts = figures.compactMap { figure -> String? in
            let values = done.compactMap { $0.figures[figure.name] }.sorted()
            guard values.count > 1 else { return nil }
            return Histogram(values, title: figure.title, isWhole: figure.digits == 0)
                .map { "<figure class=\"cell\">\($0.svg())</figure>" }
        }
        guard !charts.isEmpty else { return nil }
        return "<div class=\"gallery charts\">\(charts.joined(separator: "\n"))</div>"
    }

    // MARK: - Pictures

    private func gallery(_ rows: [AnswerRow], _ pictures: ArchivePictures) -> String {
        guard !rows.isEmpty else { return "<p>None.</p>" }
        let cells = rows.map { row -> String in
            let link = HTMLReport.link(Self.fileName(row, plan))
            let figures = [guide.rankedBy, guide.agreement].compactMap { $0 }.compactMap { name -> String? in
                guard let figure = guide.figures.first(where: { $0.name == name }), let value = row.figures[name]
                else { return nil }
                return "\(figure.title) \(String(format: "%.1f", value))"
            }
            let picture = pictures.shown[row.name].map {
                "<a href=\"\($0.link)\"><img loading=\"lazy\" width=\"\($0.width)\" height=\"\($0.height)\" "
                    + "alt=\"\(HTMLReport.escaped(row.name)), slice \($0.slice)\" src=\"\($0.link)\"></a>"
            } ?? "<p>no picture</p>"
            return "<figure class=\"cell\">\(picture)<figcaption><a href=\"\(link)\">\(HTMLReport.escaped(row.name))"
                + "</a><br>\(HTMLReport.escaped(figures.joined(separator: ", ")))</figcaption></figure>"
        }
        return "<div class=\"gallery\">\(cells.joined(separator: "\n"))</div>"
    }

    /// The answer's first mask.
    static func fileName(_ row: AnswerRow, _ plan: SegmentationPlan) -> String {
        SegmentationFolder.fileName(row.name, answer: "vote", plan.guide.masks[0])
    }

    // MARK: - Tables

    private func slowest(into page: inout HTMLReport) {
        let slow = done.filter { $0.seconds ?? 0 > 0 }.sorted { ($0.seconds ?? 0) > ($1.seconds ?? 0) }
            .prefix(Self.slowestCount)
        guard slow.count > 1 else { return }
        page.heading("Slowest")
        page.table(TextTable(header: ["CT", "seconds", "MB", "worker"], rows: slow.map { row in
            [
                row.name, String(format: "%.1f", row.seconds ?? 0),
                row.byteCount.map { String(format: "%.1f", Double($0) / 1e6) } ?? "", row.worker ?? "",
            ]
        }))
    }

    private func refusals(into page: inout HTMLReport) {
        guard !refused.isEmpty else { return }
        page.heading("\(refused.count) refused")
        let items = refused.prefix(Self.refusedShownCount).map { row in
            "<li><b>\(HTMLReport.escaped(row.name))</b>: \(HTMLReport.escaped(row.refused ?? ""))</li>"
        }
        let more = refused.count - items.count
        page.add(html: "<ul>\(items.joined(separator: "\n"))</ul>"
            + (more > 0 ? "<p>\(more) more are in the table below and in archive.csv.</p>" : ""))
    }

    /// A search field, a table that the script fills, and the rows.
    private func rowsHTML() -> String {
        // What a row has where; warnings and reasons are shown beside the name.
        let numbers = (figures.map(\.title) + ["seconds"]).enumerated().map { ($0 + 1, $1) }
        let said = (plan.options.keepsIdentity ? "patient, " : "") + "warnings or reason"
        let heads = ([(0, "CT"), (numbers.count + 1, said)] + numbers).map { column, title in
            "<th scope=\"col\" aria-sort=\"none\"><button type=\"button\" data-column=\"\(column)\">"
                + "\(HTMLReport.escaped(title))</button></th>"
        }.joined()
        let lines = rows.map { row -> String in
            let figures = self.figures.map { figure in
                row.figures[figure.name].map { String(format: "%.\(min(figure.digits, 1))f", $0) } ?? "null"
            }
            let seconds = row.seconds.map { String(format: "%.1f", $0) } ?? "null"
            let reasons = row.refused.map { "refused: \($0)" } ?? (row.warnings ?? []).joined(separator: " | ")
            let said = [row.identity?.title ?? "", reasons].filter { !$0.isEmpty }.joined(separator: " | ")
            let link = row.refused == nil ? Self.fileName(row, plan) : ""
            return "[" + ([Self.script(row.name)] + figures + [seconds, Self.script(said), Self.script(link)])
                .joined(separator: ",") + "]"
        }
        return """
            <noscript><p>Every row is in <a href="archive.csv">archive.csv</a>; searching and sorting here need
            scripts.</p></noscript>
            <div id="archive" hidden>
            <p><label>Search <input type="search" id="query" autocomplete="off"></label>
            <span id="count" role="status"></span></p>
            <div class="wide"><table id="rows"><thead><tr>\(heads)</tr></thead><tbody></tbody></table></div>
            <p><button type="button" id="back">back</button> <span id="place"></span>
            <button type="button" id="on">on</button></p>
            </div>
            <script>const digits = [\(figures.map { "\(min($0.digits, 1))" }.joined(separator: ", ")), 1], rows = [
            \(lines.joined(separator: ",\n"))
            ];\n\(Self.program)</script>
            """
    }

    /// A text within a script within a page.
    private static func script(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.printable(most: 2_000).unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "<", ">", "&", "\u{2028}", "\u{2029}": quoted += String(format: "\\u%04x", scalar.value)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static let program = """
        "use strict";
        const pageSize = 100, body = document.querySelector("#rows tbody");
        const texts = rows.map(row => (row[0] + " " + row[row.length - 2]).toLowerCase());
        let found = rows.map((row, index) => index), page = 0, sorted = -1, isUp = true;
        function cell(row, text, isText) {
          const cell = row.insertCell();
          cell.textContent = text === null ? "" : text;
          if (isText) cell.className = "text";
          return cell;
        }
        function show() {
          const pageCount = Math.max(1, Math.ceil(found.length / pageSize));
          page = Math.min(Math.max(page, 0), pageCount - 1);
          body.textContent = "";
          for (const index of found.slice(page * pageSize, (page + 1) * pageSize)) {
            const data = rows[index], row = body.insertRow(), link = data[data.length - 1];
            const first = cell(row, link ? "" : data[0], true);
            if (link) {
              const anchor = document.createElement("a");
              anchor.href = link.split("/").map(encodeURIComponent).join("/");
              anchor.textContent = data[0];
              first.append(anchor);
            }
            cell(row, data[data.length - 2], true);
            for (let column = 1; column < data.length - 2; column++) {
              cell(row, data[column] === null ? null : data[column].toFixed(digits[column - 1]), false);
            }
          }
          document.getElementById("count").textContent = found.length + " of " + rows.length;
          document.getElementById("place").textContent = "page " + (page + 1) + " of " + pageCount;
          document.getElementById("back").disabled = page === 0;
          document.getElementById("on").disabled = page === pageCount - 1;
        }
        function compare(a, b) {
          const x = rows[a][sorted], y = rows[b][sorted];
          if (x === y) return a - b;
          if (x === null || x === "") return 1;
          if (y === null || y === "") return -1;
          return (x < y ? -1 : 1) * (isUp ? 1 : -1);
        }
        function find() {
          const words = document.getElementById("query").value.toLowerCase().split(" ").filter(word => word);
          found = [];
          texts.forEach((text, index) => { if (words.every(word => text.includes(word))) found.push(index); });
          if (sorted >= 0) found.sort(compare);
          page = 0;
          show();
        }
        let waiting = 0;
        document.getElementById("query").addEventListener("input", () => {
          clearTimeout(waiting);
          waiting = setTimeout(find, 120);
        });
        document.getElementById("back").addEventListener("click", () => { page--; show(); });
        document.getElementById("on").addEventListener("click", () => { page++; show(); });
        for (const button of document.querySelectorAll("#rows th button")) {
          button.addEventListener("click", () => {
            const column = Number(button.dataset.column);
            isUp = sorted === column ? !isUp : typeof rows[0][column] === "string";
            sorted = column;
            for (const head of document.querySelectorAll("#rows th")) head.setAttribute("aria-sort", "none");
            button.parentElement.setAttribute("aria-sort", isUp ? "ascending" : "descending");
            find();
          });
        }
        document.getElementById("archive").hidden = false;
        show();
        """
}

/// Values as bars, drawn without a script. The largest two of a hundred are in the last bar, so that one of them does
/// not make all others one bar.
struct Histogram {
    private static let barCountMax = 30, width = 420.0, height = 140.0, left = 40.0, right = 16.0, bottom = 24.0
    private static let topMargin = 38.0
    private let counts: [Int]
    private let low: Double
    private let barWidth: Double
    private let largest: Double
    /// Some lie above the last bar's range.
    private let isCut: Bool
    private let title: String
    private let valueCount: Int
    private let median: Double

    /// nil where all values are the same.
    /// - Parameters:
    ///   - values: in order.
    ///   - isWhole: numbers of things: a bar is a number of them, or several.
    init?(_ values: [Double], title: String, isWhole: Bool) {
        guard let first = values.first, let last = values.last, last > first, last.isFinite, first.isFinite else {
            return nil
        }
        (low, largest, self.title, valueCount) = (min(first, 0), last, title, values.count)
        median = values[values.count / 2]
        let usual = values[min(values.count - 1, values.count * 98 / 100)]
        let range = max(usual > low ? usual - low : last - low, isWhole ? 1 : 0)
        let width = range / Double(Self.barCountMax)
        barWidth = isWhole ? max(1, width.rounded(.up)) : width
        let barCount = isWhole ? min(Self.barCountMax, Int(range / barWidth) + 1) : Self.barCountMax
        var counts = [Int](repeating: 0, count: barCount)
        for value in values { counts[min(barCount - 1, Int((value - low) / barWidth))] += 1 }
        self.counts = counts
        isCut = last >= low + barWidth * Double(barCount + 1)
    }

    func svg() -> String {
        let plot = (
            width: Self.width - Self.left - Self.right, height: Self.height - Self.bottom - Self.topMargin)
        let most = Double(counts.max() ?? 1), bar = plot.width / Double(counts.count)
        let base = Self.topMargin + plot.height
        func text(_ value: Double) -> String { String(format: value >= 100 ? "%.0f" : "%.1f", value) }
        var parts = counts.enumerated().map { index, count -> String in
            let tall = plot.height * Double(count) / most
            return String(
                format: "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%d: %@ to %@</title></rect>",
                Self.left + Double(index) * bar, base - tall, bar - 1, tall, count,
                text(low + barWidth * Double(index)),
                text(index == counts.count - 1 ? largest : low + barWidth * Double(index + 1)))
        }
        for tick in 0...4 {
            let x = Self.left + plot.width * Double(tick) / 4
            let value = text(low + barWidth * Double(counts.count) * Double(tick) / 4)
            parts.append(String(
                format: "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%@</text>", x, base + 16,
                tick == 4 && isCut ? value + "+" : value))
        }
        parts.append("<text x=\"\(Self.left - 6)\" y=\"\(Self.topMargin + 8)\" text-anchor=\"end\">\(Int(most))</text>")
        let second = "\(valueCount) CTs, median \(text(median)), largest \(text(largest))"
        let caption = "\(title): \(second)"
        return "<svg class=\"histogram\" role=\"img\" aria-label=\"\(HTMLReport.escaped(caption))\" "
            + "viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\">"
            + "<text x=\"\(Self.left)\" y=\"13\" class=\"title\">\(HTMLReport.escaped(title))</text>"
            + "<text x=\"\(Self.left)\" y=\"29\">\(HTMLReport.escaped(second))</text>"
            + parts.joined() + "</svg>"
    }
}
