import Foundation

/// Sentences that more than one command prints.
enum Text {
    /// A number with so many digits behind the point.
    static func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
}
