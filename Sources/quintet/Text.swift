import Foundation

/// Sentences that more than one command prints.
enum Text {
    static func figures(lesionML: Double, lesionPercent: Double) -> String {
        String(format: "%.1f ml of lesions, %.1f%% of the lung", lesionML, lesionPercent)
    }

    /// A figure as scripts read it: no digits that nobody has measured.
    static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }

    /// A number with so many digits behind the point.
    static func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
}
