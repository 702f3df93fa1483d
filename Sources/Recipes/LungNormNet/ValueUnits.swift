import Imaging

/// What a CT's values look like when they are not Hounsfield units, and what to do then. Asked only when something is
/// wrong already.
struct ValueUnits {
    /// What programs add to HU: 1024 so that nothing is negative, 1000 so that air is 0 (DIR-Lab), and what undoes a
    /// slope and intercept that were applied twice.
    private static let offsets = [-1024.0, -1000, 1024, 1000]
    /// Where the median of lungs is after the right offset.
    private static let lungHU = -950.0 ... -600

    private let least: Float
    private let most: Float
    /// Values that were negative before they were stored as unsigned.
    private let wrappedShare: Double
    /// Of the values -950 to -50: lung and fat, of which no CT of a chest or belly in HU has none.
    private let lungAndFatShare: Double
    private let voxels: [Float]

    init(_ ct: Volume<Float>) {
        voxels = ct.voxels
        var least = Float.infinity, most = -Float.infinity, wrapped = 0, lungAndFat = 0
        for value in ct.voxels {
            least = min(least, value)
            most = max(most, value)
            if value > 32_767 { wrapped += 1 }
            if value > -950, value < -50 { lungAndFat += 1 }
        }
        (self.least, self.most) = (least, most)
        let count = Double(max(ct.voxels.count, 1))
        (wrappedShare, lungAndFatShare) = (Double(wrapped) / count, Double(lungAndFat) / count)
    }

    /// Nothing in it is where lung and fat are in HU.
    var areForeign: Bool { lungAndFatShare < 0.01 }

    /// - Parameter lungMedian: inside the lung mask; nil where there is none.
    /// - Returns: a sentence's end: "its values ...; do ...".
    func explanation(lungMedian: Float?) -> String {
        if wrappedShare >= 0.01 {
            return "its values reach \(Int(most)): negative HU were stored as unsigned numbers and wrapped round; "
                + "export it again as signed 16-bit"
        }
        if most - least <= 10 {
            return "its values run from \(least) to \(most), scaled for a network or a picture, and HU cannot be "
                + "had back from that; take the original CT"
        }
        if least >= 0, most <= 255 {
            return "its values run from \(Int(least)) to \(Int(most)), bytes of a picture in a grey-level window, and "
                + "HU cannot be had back from that; take the original CT"
        }
        if let offset = offset(lungMedian: lungMedian) {
            switch offset {
            case -1024:
                return "its values look like HU + 1024; read it with --add-hu -1024 (-1000 if air is 0 in the file, "
                    + "as in DIR-Lab's)"
            case -1000:
                return "its values look like HU + 1000, air is 0 as in DIR-Lab's; read it with --add-hu -1000 (-1024 "
                    + "if air is 24 in the file)"
            default:
                return "its values look like HU - \(Int(offset)); read it with --add-hu \(Int(offset))"
            }
        }
        return "its values run from \(least) to \(most); take the CT in Hounsfield units"
    }

    /// What is to be added to have lungs where they are in HU; nil when no usual offset does that.
    func offset(lungMedian: Float?) -> Double? {
        guard let lungMedian else {
            // Soft tissue, most of a body, lies around 1024 + 50.
            let shifted = voxels.lazy.filter { (900...1200).contains($0) }.count
            return Double(shifted) >= 0.1 * Double(voxels.count) ? nearest(-1024, -1000) : nil
        }
        let fitting = Self.offsets.filter { Self.lungHU.contains(Double(lungMedian) + $0) }
        guard let first = fitting.first else { return nil }
        return first < 0 ? nearest(-1024, -1000) : first
    }

    /// Air is 24 in the one and 0 in the other: by the peak of the air, and in a scan that is cropped to the body by
    /// its lowest values. 0 itself may be padding.
    private func nearest(_ offset: Double, _ other: Double) -> Double {
        var counts = [Int](repeating: 0, count: 4096), total = 0
        for value in voxels where value >= 1 && value < 4096 {
            counts[Int(value)] += 1
            total += 1
        }
        func weight(_ value: Int) -> Int { counts[max(1, value - 4)...(value + 4)].reduce(0, +) }
        let peak = (1...48).max { weight($0) < weight($1) } ?? 24
        // Otherwise it is the tail of the lung's values.
        if weight(peak) > 2 * weight(80) { return peak > 12 ? offset : other }
        var below = 0
        for (value, count) in counts.enumerated() {
            below += count
            if 200 * below >= total { return value > 12 ? offset : other }
        }
        return offset
    }
}
