import Imaging
import Numerics

/// Tumours of made-up patients, drawn in other ways than the pseudo-anomalies that networks are trained with
/// (`PseudoAnomalyGenerator`): bodies in three dimensions, melted together of balls, with a contrast to the liver that
/// goes from hardly to plainly visible, sharp or vague, some with a bright rim or a dark core; cysts; few that are
/// brighter than the liver. A voxel on a border is tumour by its share.
struct LiverTumours {
    let anatomy: AbdomenAnatomy
    let grid: PhantomGrid
    /// Millimetres below the liver's surface.
    let depth: [Float]
    /// Noise of unit spread: about 14 mm and about 5 mm wide structures.
    let mottle: [Float]
    let grain: [Float]

    /// One tumour: balls and what they are filled with.
    struct Tumour {
        var balls: [(centre: PatientPoint, radius: Float)]
        var radius: Float
        /// Millimetres from all to nothing at the border, and how far noise moves the border.
        var softness: Float
        var ragged: Float
        var hounsfield: Float
        /// Added in the outermost `rimWidth` mm.
        var rim: Float
        var rimWidth: Float
        /// Added in the middle.
        var core: Float

        /// Millimetres below the tumour's surface.
        func depth(_ p: PatientPoint) -> Float {
            // A polynomial maximum: necks between balls are filled.
            let melt = 0.5 * radius
            return balls.reduce(-1e9) { best, ball in
                let depth = ball.radius - (p - ball.centre).length
                let overlap = max(0, melt - abs(depth - best)) / melt
                return max(depth, best) + 0.25 * melt * overlap * overlap
            }
        }
    }

    /// Paints tumours into `hu` and marks the voxels that are tumour by more than half.
    func add(severity: Float, key: RandomKey, to hu: inout [Float], tumour: inout [UInt8]) {
        let inside = depth.indices.filter { depth[$0] > 0 }
        guard !inside.isEmpty else { return }
        var random = key.stream(0)
        let count = 1 + Int((random.uniform(0.5, 9) * severity).rounded())
        for number in 0..<count {
            var random = key.stream(UInt32(number + 1))
            // The first one is always large enough for the grid to hold it.
            let largest = 10 + 26 * severity
            let radius = number == 0 ? random.uniform(9, largest) : random.uniform(4, largest)
            paint(draw(radius: radius, inside: inside, &random), &hu, &tumour)
        }
    }

    private func draw(radius: Float, inside: [Int], _ random: inout RandomStream) -> Tumour {
        var centre = place(inside[random.index(below: inside.count)])
        for _ in 0..<40 where depth(at: centre) < 0.4 * radius {
            centre = place(inside[random.index(below: inside.count)])
        }
        var balls = [(centre: centre, radius: radius)]
        // Half are lobulated.
        let lobes = random.uniform() < 0.5 ? 2 + random.index(below: 4) : 0
        for _ in 0..<lobes {
            let way = PatientPoint(random.normal(), random.normal(), random.normal()).direction
            balls.append((centre + way * (radius * random.uniform(0.5, 0.95)), radius * random.uniform(0.35, 0.65)))
        }
        let kind = random.uniform(), contrast = random.uniform(22, 65), isVague = random.uniform() < 0.35
        let softness = isVague ? random.uniform(0.3, 0.7) * radius : random.uniform(0.5, 2)
        let ragged = random.uniform(0, isVague ? 0.18 : 0.08) * radius
        let rim = random.uniform() < 0.4 ? random.uniform(15, 40) : 0, rimWidth = random.uniform(2, 4)
        let core = radius > 12 && random.uniform() < 0.4 ? random.uniform(-30, -12) : 0
        var tumour = Tumour(
            balls: balls, radius: radius, softness: softness, ragged: ragged,
            hounsfield: max(anatomy.liverHU - contrast, 14), rim: rim, rimWidth: rimWidth, core: core)
        if kind < 0.12 {
            // A cyst: round, sharp, water.
            tumour.balls = [balls[0]]
            (tumour.softness, tumour.ragged, tumour.hounsfield, tumour.rim, tumour.core) = (0.5, 0, 8, 0, 0)
        } else if kind > 0.9 {
            tumour.hounsfield = anatomy.liverHU + 0.7 * contrast
        }
        return tumour
    }

    private func place(_ index: Int) -> PatientPoint {
        let row = index / grid.shape.width
        return grid.position(z: row / grid.shape.height, y: row % grid.shape.height, x: index % grid.shape.width)
    }

    private func depth(at p: PatientPoint) -> Float {
        let origin = grid.position(z: 0, y: 0, x: 0), spacing = grid.spacing
        let z = Int(((p.z - origin.z) / Float(spacing.zMM)).rounded())
        let y = Int(((p.y - origin.y) / Float(spacing.yMM)).rounded())
        let x = Int(((p.x - origin.x) / Float(spacing.xMM)).rounded())
        return depth[grid.shape.index(z: z, y: y, x: x)]
    }

    private func paint(_ body: Tumour, _ hu: inout [Float], _ tumour: inout [UInt8]) {
        var low = body.balls[0].centre, high = low
        for ball in body.balls {
            let (c, r) = (ball.centre, ball.radius)
            low = PatientPoint(min(low.x, c.x - r), min(low.y, c.y - r), min(low.z, c.z - r))
            high = PatientPoint(max(high.x, c.x + r), max(high.y, c.y + r), max(high.z, c.z + r))
        }
        let spacing = grid.spacing, shape = grid.shape
        // What a voxel's own size softens a border by.
        let width = max(body.softness, Float(spacing.zMM + spacing.yMM + spacing.xMM) / 3)
        let box = grid.box(low, high, reach: width + 0.2 * body.radius + 3 * body.ragged)
        for z in box.z {
            for y in box.y {
                for x in box.x {
                    let index = shape.index(z: z, y: y, x: x)
                    guard depth[index] > 0 else { continue }
                    let below = body.depth(grid.position(z: z, y: y, x: x)) + body.ragged * mottle[index]
                    let share = min(1, max(0, below / width + 0.5))
                    if share <= 0 { continue }
                    var value = body.hounsfield + 3 * grain[index]
                    if below < body.rimWidth { value += body.rim }
                    value += body.core * min(1, max(0, (below - 0.45 * body.radius) / 4))
                    hu[index] += share * (value - hu[index])
                    if share > 0.5 { tumour[index] = 1 }
                }
            }
        }
    }
}
