import Foundation

/// Curves as an SVG of fixed size: a training's loss by iteration, say.
package struct LineChart {
    var title: String
    var xLabel: String
    var series: [(name: String, points: [(x: Double, y: Double)])]

    private static let colours = ["#1f6fb4", "#d1495b", "#2e8b57", "#8e5ea2", "#c77700", "#4a4a4a", "#0aa3a3"]
    private static let width = 760.0, height = 300.0, left = 56.0, right = 130.0, top = 34.0, bottom = 40.0

    func svg() -> String {
        let all = series.flatMap(\.points)
        guard let xMax = all.map(\.x).max(), let yMax = all.map(\.y).max(), xMax > 0 else { return "" }
        let xMin = all.map(\.x).min() ?? 0, yMin = min(0, all.map(\.y).min() ?? 0)
        let plotWidth = Self.width - Self.left - Self.right, plotHeight = Self.height - Self.top - Self.bottom
        func x(_ value: Double) -> Double { Self.left + plotWidth * (value - xMin) / max(xMax - xMin, 1e-9) }
        func y(_ value: Double) -> Double { Self.top + plotHeight * (yMax - value) / max(yMax - yMin, 1e-9) }
        var parts = [
            "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" role=\"img\" style=\"max-width:100%\" "
                + "font-family=\"system-ui, sans-serif\" font-size=\"12\">",
            "<text x=\"\(Self.left)\" y=\"18\" font-size=\"14\" font-weight=\"600\">"
                + "\(HTMLReport.escaped(title))</text>",
        ]
        for value in Self.ticks(yMin, yMax) {
            let at = y(value)
            parts.append("<line x1=\"\(Self.left)\" x2=\"\(Self.left + plotWidth)\" y1=\"\(at)\" y2=\"\(at)\" "
                + "stroke=\"#e4e4e4\"/>")
            parts.append("<text x=\"\(Self.left - 6)\" y=\"\(at + 4)\" text-anchor=\"end\">"
                + String(format: "%.4g", value) + "</text>")
        }
        for value in Self.ticks(xMin, xMax) {
            parts.append("<text x=\"\(x(value))\" y=\"\(Self.height - 20)\" text-anchor=\"middle\">"
                + String(format: "%.4g", value) + "</text>")
        }
        for (number, line) in series.enumerated() where !line.points.isEmpty {
            let colour = Self.colours[number % Self.colours.count]
            let path = line.points.map { String(format: "%.1f,%.1f", x($0.x), y($0.y)) }.joined(separator: " ")
            parts.append("<polyline fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.5\" points=\"\(path)\"/>")
            let end = line.points[line.points.count - 1]
            parts.append(String(
                format: "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%@\"><title>%.4g</title></circle>", x(end.x),
                y(end.y), colour, end.y))
            let legend = Self.top + 16 * Double(number) + 8
            parts.append("<text x=\"\(Self.left + plotWidth + 12)\" y=\"\(legend)\" fill=\"\(colour)\">"
                + HTMLReport.escaped(line.name) + String(format: " (%.3g)</text>", end.y))
        }
        parts.append("<text x=\"\(Self.left + plotWidth / 2)\" y=\"\(Self.height - 4)\" text-anchor=\"middle\">"
            + HTMLReport.escaped(xLabel) + "</text></svg>")
        return parts.joined(separator: "\n")
    }

    /// Round numbers in this range, some five of them: steps of 1, 2 or 5 and a power of ten.
    package static func ticks(_ low: Double, _ high: Double) -> [Double] {
        guard high > low, (high - low).isFinite else { return [low] }
        let rough = (high - low) / 5, power = pow(10, floor(log10(rough)))
        let step = power * ([1, 2, 5].first { $0 * power >= rough } ?? 10)
        return stride(from: (low / step).rounded(.up), through: (high / step).rounded(.down), by: 1)
            .map { $0 * step + 0 }
    }

    /// Means of `width` points in a row: what a noisy loss looks like to the eye.
    static func smoothed(_ points: [(x: Double, y: Double)], width: Int) -> [(x: Double, y: Double)] {
        guard width > 1 else { return points }
        return stride(from: 0, to: points.count, by: width).map { start in
            let part = points[start..<min(start + width, points.count)]
            return (part.map(\.x).reduce(0, +) / Double(part.count), part.map(\.y).reduce(0, +) / Double(part.count))
        }
    }
}
