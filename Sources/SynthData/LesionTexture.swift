import CKernels
import Imaging
import Numerics

/// The inside of a lesion (method.md A2, texture): salt noise of a smoothly varying density, blurred, scaled to a
/// brightness.
struct LesionTexture {
    let settings: LesionSettings
    let shape: VolumeShape
    let workspace: LesionWorkspace
    let pool: ThreadPool?

    /// Draws B_j, raises the image to it inside G_j and clears the target there.
    func fill(
        _ components: LesionComponents, _ component: Int, key: RandomKey, image: UnsafeMutableBufferPointer<Float>,
        target: UnsafeMutableBufferPointer<UInt8>
    ) {
        var random = key.stream(UInt32(component))
        let box = components.boxes[component]
        let size = VolumeShape(depth: box.z.count, height: box.y.count, width: box.x.count)
        // All scalars come first: a switch of the ablations moves no other number.
        let sigmaA = Double(random.uniform(2, 20))
        let (upper, lower) = probabilityBounds(&random)
        let narrow = random.uniform() < 0.7, sigmaShare = random.uniform()
        let sigmaB = !settings.saltNoise ? 2 : Double(narrow ? 0.8 + 1.2 * sigmaShare : 2 + 3 * sigmaShare)
        let drawn = random.uniform(0.4, 0.8), brightness = settings.saltNoise ? drawn : 0.6

        let texture = salt(size, sigmaA: sigmaA, upper: upper, lower: lower, random: &random)
        GaussianFilter.apply(texture, shape: size, sigmaVoxels: (z: sigmaB, y: sigmaB, x: sigmaB), pool: pool,
                             workspace: workspace.filter)
        let scale = meanAboveThreshold(texture).map { brightness / $0 } ?? 0
        for run in components.runs(of: component) {
            let inBox = size.index(z: run.z - box.z.lowerBound, y: run.y - box.y.lowerBound,
                                   x: run.x.lowerBound - box.x.lowerBound)
            let index = shape.index(z: run.z, y: run.y, x: run.x.lowerBound)
            quintet_lesion_blend(texture.baseAddress! + inBox, scale, image.baseAddress! + index, run.x.count)
            (target.baseAddress! + index).update(repeating: 0, count: run.x.count)
        }
    }

    /// aU and aL, drawn again until they are more than 0.15 apart.
    private func probabilityBounds(_ random: inout RandomStream) -> (upper: Float, lower: Float) {
        while true {
            let upper = random.uniform(0, 0.3), lower = random.uniform(0, 0.3)
            if upper - lower > 0.15 { return (upper, lower) }
        }
    }

    /// b1: 1 with probability a(x), otherwise 0, over the box.
    private func salt(
        _ size: VolumeShape, sigmaA: Double, upper: Float, lower: Float, random: inout RandomStream
    ) -> UnsafeMutableBufferPointer<Float> {
        let row = workspace.filter.buffer(LesionWorkspace.Slot.row, count: size.width).baseAddress!
        let salt = workspace.filter.buffer(LesionWorkspace.Slot.salt, count: size.voxelCount)
        guard settings.probabilityMaps else {
            row.update(repeating: 0, count: size.width)
            random.fill(salt)
            for first in stride(from: 0, to: salt.count, by: size.width) {
                quintet_salt(row, 0, 0, 0.2, salt.baseAddress! + first, size.width)
            }
            return salt
        }
        let unit = settings.paperVoxels
        let field = NoiseField(
            box: size, sigma: (z: sigmaA / unit.z, y: sigmaA / unit.y, x: sigmaA / unit.x), padded: true,
            random: &random, slot: LesionWorkspace.Slot.fields, workspace: workspace.filter, pool: pool)
        var least = Float.infinity, most = -Float.infinity
        field.forEachRow(size, into: row) { _ in quintet_range(row, size.width, &least, &most) }
        let scale = (upper - lower) / max(most - least, 1e-9)
        random.fill(salt)
        field.forEachRow(size, into: row) {
            quintet_salt(row, least, scale, lower, salt.baseAddress! + $0, size.width)
        }
        return salt
    }

    /// mean_{0.2}: the mean of the values above 0.2, halving the threshold until there are some; nil when all are 0.
    private func meanAboveThreshold(_ values: UnsafeMutableBufferPointer<Float>) -> Float? {
        var threshold: Float = 0.2
        while threshold > 1e-30 {
            var sum = 0.0, number: Int64 = 0
            quintet_sum_above(values.baseAddress, values.count, threshold, &sum, &number)
            if number > 0 { return Float(sum / Double(number)) }
            threshold /= 2
        }
        return nil
    }
}
