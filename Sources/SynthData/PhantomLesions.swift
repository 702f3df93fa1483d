import Imaging
import Numerics

/// Lesions of made-up patients, drawn in other ways than the training generator's (`LesionGenerator`): clouds of soft
/// blobs at the level of ground glass, with or without a net of thickened septa; sharp consolidations at the pleura,
/// in which airways stay open; bands beneath the pleura; nodules. They prefer the back, the base and the rim of the
/// lungs.
struct PhantomLesions {
    let tissue: ChestTissue
    /// Millimetres below the lungs' surface.
    let depth: [Float]
    /// Noise of unit spread: about 10 mm and about 4 mm wide structures.
    let mottle: [Float]
    let grain: [Float]
    let settings: ChestPhantom.Settings

    /// A rotated ellipsoid's shape: `norm` is 1 at its surface.
    private struct Blob {
        var centre: PatientPoint
        var axes: (PatientPoint, PatientPoint, PatientPoint)
        var radii: PatientPoint

        func norm(_ p: PatientPoint) -> Float {
            let d = p - centre
            let (a, b, c) = (d.dot(axes.0) / radii.x, d.dot(axes.1) / radii.y, d.dot(axes.2) / radii.z)
            return (a * a + b * b + c * c).squareRoot()
        }

        var reach: Float { max(radii.x, max(radii.y, radii.z)) }
    }

    /// What a lesion makes of a voxel: how far it replaces it, and by what.
    private typealias Paint = (_ place: PatientPoint, _ index: Int) -> (share: Float, hu: Float)

    func add(to hu: inout [Float], lesion: inout [UInt8], pool: ThreadPool?) {
        var random = RandomKey(seed: settings.seed, iteration: settings.index, purpose: .phantomLesions).stream(0)
        let severity = settings.severity
        func count(_ low: Float, _ high: Float) -> Int { Int((random.uniform(low, high) * severity).rounded()) }
        let clouds = 3 + count(4, 15), consolidations = count(1, 7), bands = count(0, 5), nodules = count(0, 6)
        for _ in 0..<clouds { addCloud(&random, &hu, &lesion) }
        for _ in 0..<consolidations { addConsolidation(&random, &hu, &lesion) }
        for _ in 0..<bands { addBand(&random, &hu, &lesion) }
        for _ in 0..<nodules { addNodule(&random, &hu, &lesion) }
    }

    private func addCloud(_ random: inout RandomStream, _ hu: inout [Float], _ lesion: inout [UInt8]) {
        let seed = place(&random, depths: 3...60), size = 1 + 0.4 * settings.severity
        var blobs: [Blob] = []
        for _ in 0..<(1 + random.index(below: 4)) {
            let shift = PatientPoint(random.normal(), random.normal(), random.normal()) * 9
            blobs.append(blob(seed + shift, &random, radii: (7 * size)...(24 * size)))
        }
        let level = random.uniform(-720, -430), softness = random.uniform(0.12, 0.45)
        let net: Float = random.uniform() < 0.35 ? random.uniform(120, 260) : 0
        let speckle = random.uniform(15, 45), ragged = random.uniform(0.05, 0.2)
        replace(around: blobs, margin: 1.6, &hu, &lesion) { place, index in
            var clear: Float = 1
            for blob in blobs {
                let edge = (1 + softness - blob.norm(place) - ragged * mottle[index]) / (2 * softness)
                let share = max(0, min(1, edge))
                clear *= 1 - share * share * (3 - 2 * share)
            }
            let septa = net * max(0, 1 - abs(mottle[index] + 0.4 * grain[index]) / 0.3)
            return (1 - clear, level + speckle * grain[index] + septa)
        }
    }

    private func addConsolidation(_ random: inout RandomStream, _ hu: inout [Float], _ lesion: inout [UInt8]) {
        let size = 0.7 + 0.6 * settings.severity
        let blob = blob(place(&random, depths: 1...9), &random, radii: (6 * size)...(19 * size))
        let level = random.uniform(-60, 50), ragged = random.uniform(0.04, 0.16)
        // Open airways run towards the hilum.
        let hilum = tissue.anatomy.hilum(side: blob.centre.x > 0 ? 1 : -1)
        var bronchi: [(from: PatientPoint, way: PatientPoint, radius: Float)] = []
        for _ in 0..<random.index(below: 4) {
            let sway = PatientPoint(random.normal(), random.normal(), random.normal()) * 0.25
            let way = (hilum - blob.centre).direction + sway
            let shift = PatientPoint(random.normal(), random.normal(), random.normal()) * (0.2 * blob.reach)
            bronchi.append((blob.centre + shift, way.direction, random.uniform(0.9, 1.7)))
        }
        replace(around: [blob], margin: 1.4, &hu, &lesion) { place, index in
            let edge = (1 - blob.norm(place) - ragged * mottle[index]) * blob.reach / 2 + 0.5
            var value = level + 14 * grain[index]
            for bronchus in bronchi {
                let d = place - bronchus.from, along = d.dot(bronchus.way)
                let off = (d - bronchus.way * along).length
                if along > -0.5 * blob.reach { value += max(0, min(1, bronchus.radius - off + 0.5)) * (-900 - value) }
            }
            return (max(0, min(1, edge)), value)
        }
    }

    private func addBand(_ random: inout RandomStream, _ hu: inout [Float], _ lesion: inout [UInt8]) {
        let below = random.uniform(3, 9), half = random.uniform(1, 2.4)
        let patch = blob(place(&random, depths: 2...8), &random, radii: 13...32)
        let level = random.uniform(-480, -120)
        replace(around: [patch], margin: 1.1, &hu, &lesion) { place, index in
            let across = half + 0.5 - abs(depth[index] - below + 0.7 * mottle[index])
            let within = (1 - patch.norm(place)) * 4
            return (max(0, min(1, min(across, within))), level + 30 * grain[index])
        }
    }

    private func addNodule(_ random: inout RandomStream, _ hu: inout [Float], _ lesion: inout [UInt8]) {
        let nodule = blob(place(&random, depths: 4...60), &random, radii: 2.8...6.5)
        let level = random.uniform(-160, 60), halo = random.uniform() < 0.4 ? random.uniform(-700, -550) : -2000
        replace(around: [nodule], margin: 2.2, &hu, &lesion) { place, index in
            let norm = nodule.norm(place)
            let core = max(0, min(1, (1 - norm) * nodule.reach / 2 + 0.5))
            let rim = halo > -1000 ? max(0, min(1, (1.9 - norm) * 1.5)) : 0
            let share = max(core, rim)
            return (share, core > 0 ? max(halo, -700) + core * (level - max(halo, -700)) : halo)
        }
    }

    /// Applies `paint` in the boxes around the blobs, within the lungs; what it replaces by more than half is lesion.
    private func replace(
        around blobs: [Blob], margin: Float, _ hu: inout [Float], _ lesion: inout [UInt8], _ paint: Paint
    ) {
        var low = PatientPoint(1e9, 1e9, 1e9), high = PatientPoint(-1e9, -1e9, -1e9)
        for blob in blobs {
            let (c, r) = (blob.centre, blob.reach * margin + 2)
            low = PatientPoint(min(low.x, c.x - r), min(low.y, c.y - r), min(low.z, c.z - r))
            high = PatientPoint(max(high.x, c.x + r), max(high.y, c.y + r), max(high.z, c.z + r))
        }
        let shape = tissue.shape, origin = tissue.position(z: 0, y: 0, x: 0)
        func range(_ low: Float, _ high: Float, _ origin: Float, _ step: Double, _ count: Int) -> Range<Int> {
            let first = min(max(Int((low - origin) / Float(step)), 0), count)
            return first..<min(max(Int((high - origin) / Float(step)) + 1, first), count)
        }
        for z in range(low.z, high.z, origin.z, tissue.spacing.zMM, shape.depth) {
            for y in range(low.y, high.y, origin.y, tissue.spacing.yMM, shape.height) {
                for x in range(low.x, high.x, origin.x, tissue.spacing.xMM, shape.width) {
                    let index = shape.index(z: z, y: y, x: x)
                    guard depth[index] > 0 else { continue }
                    let (share, value) = paint(tissue.position(z: z, y: y, x: x), index)
                    if share <= 0 { continue }
                    // A lesion never clears what another has filled, except by its open airways.
                    if value > hu[index] || value < -850 { hu[index] += share * (value - hu[index]) }
                    if share > 0.5 { lesion[index] = 1 }
                }
            }
        }
    }

    /// A place in the lungs, drawn with preference for the back, the base and the rim.
    private func place(_ random: inout RandomStream, depths: ClosedRange<Float>) -> PatientPoint {
        let shape = tissue.shape, anatomy = tissue.anatomy
        var last = anatomy.hilum(side: 1)
        for _ in 0..<100_000 {
            let z = random.index(below: shape.depth), y = random.index(below: shape.height)
            let x = random.index(below: shape.width), chance = random.uniform()
            let below = depth[shape.index(z: z, y: y, x: x)]
            guard depths.contains(below) else { continue }
            last = tissue.position(z: z, y: y, x: x)
            let back = 0.5 - 0.5 * last.y / anatomy.cavityHalfDepth
            let base = 1 - (last.z - anatomy.lungBaseZ) / anatomy.lungHeight
            let rim = max(0, 1 - below / 30)
            if chance < 0.2 + 0.3 * back + 0.2 * base + 0.3 * rim { break }
        }
        return last
    }

    private func blob(_ centre: PatientPoint, _ random: inout RandomStream, radii: ClosedRange<Float>) -> Blob {
        let a = PatientPoint(random.normal(), random.normal(), random.normal()).direction
        let b = a.cross(PatientPoint(random.normal(), random.normal(), random.normal())).direction
        func radius() -> Float { random.uniform(radii.lowerBound, radii.upperBound) }
        return Blob(centre: centre, axes: (a, b, a.cross(b)), radii: PatientPoint(radius(), radius(), radius()))
    }
}
