import Imaging
import Numerics
import SynthData

/// Chest CTs to play with.
struct LungPhantoms: PhantomMaker {
    var summary: String { "Make chest CTs to play with: healthy ones, and diseased ones with the truth." }
    var noun: String { "chest CTs" }
    var maskFolder: String { "lungs" }
    var truthFolder: String { "lesions" }
    var spacing: Spacing { Spacing(zMM: 2, yMM: 1.6, xMM: 1.6) }
    var spacingRange: ClosedRange<Double> { 0.4...12 }
    var details: String {
        """
        Writes DIR/healthy/*.nii.gz and DIR/diseased/*.nii.gz (CTs in HU), DIR/lungs (lung masks of both) and
        DIR/lesions (the truth about the diseased ones). The same seed gives the same voxels anywhere.
        """
    }

    func make(
        seed: UInt64, index: Int, isDiseased: Bool, severity: Float, spacing: Spacing, pool: ThreadPool
    ) -> PhantomImages {
        let phantom = ChestPhantom.make(
            .init(
                seed: seed, index: isDiseased ? 100_000 + index : index, spacing: spacing, diseased: isDiseased,
                severity: severity),
            pool: pool)
        return PhantomImages(
            ct: phantom.ct.with(phantom.ct.voxels.map { Int16($0) }), mask: phantom.lung, truth: phantom.lesion)
    }
}
