import Imaging

/// What lies under a liver mask: whether it can be a liver in Hounsfield units.
struct LiverContent {
    /// HU, of the voxels in the mask; nil where it is empty.
    let median: Float?
    /// Share below -200 HU: air and what no liver holds.
    let airShare: Double
    let liverML: Double

    init(_ ct: Volume<Float>, liver: Mask) {
        precondition(ct.shape == liver.shape, "a CT and its liver mask have the same shape")
        // Whole HU from -1200 up; a liver's median is far from both ends.
        var counts = [Int](repeating: 0, count: 3000)
        var (all, air) = (0, 0)
        for index in ct.voxels.indices where liver.voxels[index] > 0 && !ct.voxels[index].isNaN {
            let value = ct.voxels[index]
            all += 1
            if value < -200 { air += 1 }
            counts[Int(min(max(value.rounded() + 1200, 0), 2999))] += 1
        }
        var below = 0
        median = all == 0 ? nil : counts.firstIndex { count in
            below += count
            return 2 * below >= all
        }.map { Float($0) - 1200 }
        airShare = all > 0 ? Double(air) / Double(all) : 0
        liverML = Double(all) * ct.geometry.voxelML
    }

    /// Livers with and without contrast medium have 20 to 150 HU, very fatty ones -10.
    static let plausibleHU: ClosedRange<Float> = -20...200
    /// Of adults; a part of a liver or a large one is no error, so this only warns.
    static let plausibleML = 300.0...6000

    var warnings: [String] {
        var said: [String] = []
        if let median, !Self.plausibleHU.contains(median) {
            said.append("The median under the liver mask is \(Int(median)) HU, and a liver has 20 to 150: check that "
                + "the CT is in Hounsfield units and that the mask is its own.")
        }
        if airShare > 0.02 {
            said.append("\(Int((100 * airShare).rounded()))% of the liver mask is below -200 HU, which no liver is: "
                + "the mask reaches into lung or gut, or lies in the wrong place.")
        }
        if !Self.plausibleML.contains(liverML) {
            said.append("The liver mask has \(Int(liverML.rounded())) ml, and livers have 300 to 6000: check the voxel "
                + "size, or whether the scan shows the whole liver.")
        }
        return said
    }
}
