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

    /// As it is: whoever calls this has escaped what came from elsewhere.
    mutating func add(html: String) { body.append(html) }

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
        .gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem }
        .gallery figure { margin: 0 } .gallery img { max-width: 100%; height: auto }
        figcaption, p, li { overflow-wrap: anywhere }
        .charts { grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)) }
        .wide { overflow-x: auto } #rows td:first-child { min-width: 12rem; overflow-wrap: anywhere }
        #rows td.text + td.text { min-width: 10rem; font-size: .9rem }
        td.text { text-align: left }
        #rows td.text { max-width: 24rem; overflow-wrap: anywhere }
        th button { font: inherit; border: 0; background: none; cursor: pointer; color: inherit; padding: 0 }
        th[aria-sort=ascending] button::after { content: " \\2191" }
        th[aria-sort=descending] button::after { content: " \\2193" }
        svg.histogram { width: 100%; font-size: 11px; fill: #555 }
        svg.histogram rect { fill: #4676b5 } svg.histogram .title { font-size: 13px; fill: #222 }
        figure { margin: 1rem 0 } figcaption { color: #555; font-size: .9rem } img { max-width: 100% }
        @media (prefers-color-scheme: dark) {
          body { background: #16181c; color: #ddd } a { color: #8ab4f8 } figcaption { color: #aaa }
          th, td { border-bottom-color: #3a3f47 } th { border-bottom-color: #888 }
          tr.strong td { background: #26303f } svg.histogram { fill: #aaa } svg.histogram .title { fill: #ddd }
          svg.histogram rect { fill: #6f9fe0 } figure > svg:not(.histogram) { background: #fff }
        }
        @media print { #archive { display: none } figure, tr { break-inside: avoid } body { max-width: none } }
        </style></head><body>
        <h1>\(Self.escaped(title))</h1>
        \(body.joined(separator: "\n"))
        </body></html>

        """
    }

    /// A file's path as a link beside the page.
    static func link(_ path: String) -> String {
        path.split(separator: "/").map {
            $0.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-_.~"))) ?? ""
        }.joined(separator: "/")
    }

    static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\"", with: "&quot;")
    }
}
