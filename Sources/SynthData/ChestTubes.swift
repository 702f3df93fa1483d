import Imaging
import Numerics

/// The airways and vessels of one made-up patient.
struct ChestTubes {
    var trachea: [TubeSegment] = []
    var airways: [TubeSegment] = []
    var vessels: [TubeSegment] = []

    /// Inside the lungs: what a radiologist leaves out of a lung mask, the wide tubes at the hilum.
    static let widestVesselInLungMM: Float = 4.6
    static let widestAirwayInLungMM: Float = 3.6

    /// - Parameter depth: millimetres below the lungs' surface for every voxel.
    init(tissue: ChestTissue, depth: UnsafeBufferPointer<Float>, key: RandomKey) {
        let anatomy = tissue.anatomy
        var random = key.stream(2)
        let top = Float(tissue.shape.depth) * Float(tissue.spacing.zMM) + 10
        let throat = PatientPoint(anatomy.carina.x * 0.3, anatomy.carina.y - 4, top)
        trachea.append(TubeSegment(start: throat, end: anatomy.carina, startRadius: anatomy.tracheaRadius,
                                   endRadius: anatomy.tracheaRadius))
        for side: Float in [1, -1] {
            let hilum = anatomy.hilum(side: side)
            let bronchus = anatomy.tracheaRadius * (side > 0 ? 0.72 : 0.64)
            trachea.append(TubeSegment(start: anatomy.carina, end: hilum, startRadius: bronchus + 0.8,
                                       endRadius: bronchus))
            let outward = PatientPoint(side, -0.1, -0.3).direction
            var points = Self.points(2000, side: side, tissue, depth, &random)
            let arteries = BranchingTree(rootRadius: random.uniform(7.2, 8.8), leafRadius: 0.5)
            let above = hilum + PatientPoint(side * 2, 6, 5)
            let arterial = arteries.grow(from: above, direction: outward, points: &points, random: &random)
            vessels += arterial
            airways += Self.airways(beside: arterial, at: hilum, from: above, bronchus: bronchus)
            var others = Self.points(1700, side: side, tissue, depth, &random)
            let veins = BranchingTree(rootRadius: random.uniform(6.6, 8.2), leafRadius: 0.5)
            let atrium = hilum + PatientPoint(-side * 4, 4, -26)
            vessels += veins.grow(from: atrium, direction: outward, points: &others, random: &random)
        }
    }

    /// Airways run beside the arteries and end, for a scanner, where they are 1.5 mm wide.
    private static func airways(
        beside arteries: [TubeSegment], at hilum: PatientPoint, from root: PatientPoint, bronchus: Float
    ) -> [TubeSegment] {
        let widest = arteries.first?.startRadius ?? 1, scale = bronchus / max(widest, 1)
        func beside(_ place: PatientPoint, _ radius: Float) -> PatientPoint {
            // At the root the airway lies at the hilum; further out it lies just beside the artery.
            let shift = hilum - root
            return place + shift.direction * min(shift.length, radius * (1 + scale) + 1)
        }
        return arteries.compactMap { artery in
            guard artery.endRadius * scale > 0.75 else { return nil }
            return TubeSegment(
                start: beside(artery.start, artery.startRadius), end: beside(artery.end, artery.endRadius),
                startRadius: artery.startRadius * scale * 0.92, endRadius: artery.endRadius * scale * 0.92)
        }
    }

    /// Evenly drawn places in one lung, more than 2 mm below its surface.
    private static func points(
        _ count: Int, side: Float, _ tissue: ChestTissue, _ depth: UnsafeBufferPointer<Float>,
        _ random: inout RandomStream
    ) -> [PatientPoint] {
        let shape = tissue.shape
        var points: [PatientPoint] = []
        // A lung fills a tenth of its half of the grid or more: a bound that only an empty lung reaches.
        for _ in 0..<count * 100 where points.count < count {
            let z = random.index(below: shape.depth), y = random.index(below: shape.height)
            let x = random.index(below: shape.width), place = tissue.position(z: z, y: y, x: x)
            if place.x * side > 0, depth[shape.index(z: z, y: y, x: x)] > 2 { points.append(place) }
        }
        return points
    }
}
