import Foundation

/// Sentences that more than one command prints.
enum Text {
    static func figures(lesionML: Double, lesionPercent: Double) -> String {
        String(format: "%.1f ml of lesions, %.1f%% of the lung", lesionML, lesionPercent)
    }
}
