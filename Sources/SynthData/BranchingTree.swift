import Numerics

/// A piece of a vessel or airway: a cone between two places.
struct TubeSegment {
    var start: PatientPoint
    var end: PatientPoint
    var startRadius: Float
    var endRadius: Float
}

/// Trees that fill a region evenly: a branch grows towards the middle of the points it has to supply, then divides
/// them between two daughters, as Tawhai et al. (J Appl Physiol 2004) grow airways. Radii follow the share of points
/// that each daughter supplies.
struct BranchingTree {
    var rootRadius: Float
    var leafRadius: Float
    /// Radius goes with the number of supplied points to the power of 1 / this (3 is Murray's law).
    var exponent: Double = 3.1
    /// How far a branch goes towards the middle of its points.
    var reach: Float = 0.42

    private struct Twig {
        var points: Range<Int>
        var place: PatientPoint
        var direction: PatientPoint
        var radius: Float
    }

    /// - Parameter points: what the tree supplies; their order is changed.
    func grow(
        from root: PatientPoint, direction: PatientPoint, points: inout [PatientPoint], random: inout RandomStream
    ) -> [TubeSegment] {
        var segments: [TubeSegment] = []
        var open = [Twig(points: 0..<points.count, place: root, direction: direction, radius: rootRadius)]
        while let twig = open.popLast() {
            if twig.points.isEmpty { continue }
            let middle = centre(points[twig.points])
            if twig.points.count < 2 || twig.radius < leafRadius {
                bend(twig.place, twig.place + (middle - twig.place) * 0.8, twig.radius, twig.radius * 0.7, &random,
                     &segments)
                continue
            }
            let cut = split(&points, twig.points, random.uniform(0.34, 0.66))
            for part in [twig.points.lowerBound..<cut, cut..<twig.points.upperBound] where !part.isEmpty {
                let share = Double(part.count) / Double(twig.points.count)
                let radius = twig.radius * Float(Portable.exp(Portable.log(share) / exponent))
                let way = centre(points[part]) - twig.place
                // A daughter never turns right back.
                let turned = way.direction + twig.direction * 0.35
                let length = max(way.length * reach, 1.5)
                let end = twig.place + turned.direction * length
                bend(twig.place, end, min(twig.radius, radius * 1.12), radius, &random, &segments)
                open.append(Twig(points: part, place: end, direction: (end - twig.place).direction, radius: radius))
            }
        }
        return segments
    }

    private func centre(_ points: ArraySlice<PatientPoint>) -> PatientPoint {
        var sum = PatientPoint(0, 0, 0)
        for point in points { sum = sum + point }
        return sum * (1 / Float(points.count))
    }

    /// Sorts the range along the axis of its widest extent and returns where to cut it.
    private func split(_ points: inout [PatientPoint], _ range: Range<Int>, _ share: Float) -> Int {
        var low = points[range.lowerBound], high = low
        for point in points[range] {
            low = PatientPoint(min(low.x, point.x), min(low.y, point.y), min(low.z, point.z))
            high = PatientPoint(max(high.x, point.x), max(high.y, point.y), max(high.z, point.z))
        }
        let extent = high - low
        // A total order, so that the result does not hang on how sorting treats equals.
        func key(_ p: PatientPoint) -> (Float, Float, Float) {
            if extent.z >= extent.x && extent.z >= extent.y { return (p.z, p.y, p.x) }
            return extent.y >= extent.x ? (p.y, p.z, p.x) : (p.x, p.z, p.y)
        }
        points[range].sort { key($0) < key($1) }
        let cut = range.lowerBound + Int(Float(range.count) * share)
        return min(max(cut, range.lowerBound + 1), range.upperBound - 1)
    }

    /// Two straight pieces with a slight bend between them.
    private func bend(
        _ start: PatientPoint, _ end: PatientPoint, _ startRadius: Float, _ endRadius: Float,
        _ random: inout RandomStream, _ segments: inout [TubeSegment]
    ) {
        let sway = 0.09 * (end - start).length
        let middle = (start + end) * 0.5 + PatientPoint(random.uniform(-sway, sway), random.uniform(-sway, sway),
                                                        random.uniform(-sway, sway))
        let radius = (startRadius + endRadius) / 2
        segments.append(TubeSegment(start: start, end: middle, startRadius: startRadius, endRadius: radius))
        segments.append(TubeSegment(start: middle, end: end, startRadius: radius, endRadius: endRadius))
    }
}
