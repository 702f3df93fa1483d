import Foundation

/// One HTML file that needs no network: tables, curves as SVG, pictures inside.
package struct HTMLReport {
    private var body: [String] = []
    private let title: String

    package init(title: String) { self.title = title }

    package mutating func heading(_ text: String) { body.append("<h2>\(Self.escaped(text))</h2>") }
    package mutating func paragraph(_ text: String) { body.append("<p>\(Self.escaped(text))</p>") }

    /// First column left, the others right; rows whose name is in `emphasised` are bold.
    package mutating func table(_ table: TextTable, emphasised: Set<String> = []) {
        let head = table.header.map { "<th>\(Self.escaped($0))</th>" }.joined()
        let rows = table.rows.map { row in
            let cells = row.map { "<td>\(Self.escaped($0))</td>" }.joined()
            return "<tr\(emphasised.contains(row[0]) ? " class=\"strong\"" : "")>\(cells)</tr>"
        }
        body.append("<table><tr>\(head)</tr>\(rows.joined(separator: "\n"))</table>")
    }

    package mutating func picture(png: [UInt8], caption: String) {
        let data = Data(png).base64EncodedString()
        body.append("""
            <figure><img alt="\(Self.escaped(caption))" src="data:image/png;base64,\(data)">
            <figcaption>\(Self.escaped(caption))</figcaption></figure>
            """)
    }

    mutating func chart(_ chart: LineChart) { body.append("<figure>\(chart.svg())</figure>") }

    package func html() -> String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>\(Self.escaped(title))</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <style>
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
        h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem }
        table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
        th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd }
        th:first-child, td:first-child { text-align: left } th { border-bottom: 2px solid #888 }
        tr.strong td { font-weight: 600; background: #f3f6fb }
        figure { margin: 1rem 0 } figcaption { color: #555; font-size: .9rem } img { max-width: 100% }
        </style></head><body>
        <h1>\(Self.escaped(title))</h1>
        \(body.joined(separator: "\n"))
        </body></html>

        """
    }

    static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\"", with: "&quot;")
    }
}
