import CKernels
import Imaging
import Numerics

/// Random shapes in the liver (liver paper, section 3.1): blurred noise, stretched to 0 ... 255 and cut at a threshold,
/// with its small bits and gaps taken away by an opening and a closing.
struct AnomalyMasks {
    let settings: PseudoAnomalySettings
    let workspace: PseudoAnomalyWorkspace

    private var shape: VolumeShape { VolumeShape(depth: 1, height: settings.size, width: settings.size) }

    /// Sets the pixels of all masks, joined; every one of them touches the liver unless `drawCountMax` draws gave none.
    /// - Parameter liver: not 0 in the liver.
    /// - Returns: the stretched noise of the last mask, 0 ... 255; valid until the workspace is used again.
    func draw(
        liver: UnsafeBufferPointer<UInt8>, key: RandomKey, into mask: inout [UInt8]
    ) -> UnsafeMutableBufferPointer<Float> {
        let inside = BitVolume(shape: shape, words: [UInt64](packing: liver, shape: shape, pool: nil))
        var all = [UInt64](repeating: 0, count: inside.words.count)
        let noise = workspace.filter.buffer(PseudoAnomalyWorkspace.Slot.noise, count: shape.voxelCount)
        for number in 0..<settings.maskCount {
            for attempt in 0..<settings.drawCountMax {
                var random = key.stream(UInt32(number * settings.drawCountMax + attempt))
                fill(noise, &random)
                let words = shapes(noise).combined(with: inside, &).words
                for index in all.indices { all[index] |= words[index] }
                if words.contains(where: { $0 != 0 }) { break }
            }
        }
        mask.withUnsafeMutableBufferPointer { all.unpack(to: $0, shape: shape, pool: nil) }
        return noise
    }

    /// Blurred noise, stretched to 0 ... 255.
    private func fill(_ noise: UnsafeMutableBufferPointer<Float>, _ random: inout RandomStream) {
        let isWhole = settings.noise == .uniformIntegers, sigma = settings.scaled(settings.blurSigma)
        if isWhole {
            random.fill(noise)
            for index in noise.indices { noise[index] = (noise[index] * 256).rounded(.down) }
            ByteGaussianFilter.apply(noise, height: settings.size, width: settings.size, sigma: sigma,
                                     workspace: workspace.filter)
        } else {
            random.fillNormal(noise)
            GaussianFilter.apply(noise, shape: shape, sigmaVoxels: (z: 0, y: sigma, x: sigma),
                                 workspace: workspace.filter)
        }
        var least = Float.infinity, most = -Float.infinity
        quintet_range(noise.baseAddress, noise.count, &least, &most)
        let span = max(most - least, 1e-9)
        for index in noise.indices {
            let stretched = (noise[index] - least) / span * 255
            noise[index] = isWhole ? stretched.rounded(.down) : stretched
        }
    }

    /// What is above the threshold, opened and closed.
    private func shapes(_ noise: UnsafeMutableBufferPointer<Float>) -> BitVolume {
        let threshold = Float(settings.threshold), element = StructuringElement(planeEllipse: settings.ellipseSize)
        let above = [UInt8](unsafeUninitializedCapacity: noise.count) { bytes, count in
            for index in noise.indices { bytes[index] = noise[index] > threshold ? 1 : 0 }
            count = noise.count
        }
        return BitVolume(shape: shape, words: [UInt64](packing: above, shape: shape, pool: nil))
            .openedWithin(by: element, pool: nil).closedWithin(by: element, pool: nil)
    }
}
