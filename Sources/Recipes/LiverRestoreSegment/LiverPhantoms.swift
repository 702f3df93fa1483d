import Imaging
import Numerics
import SynthData

/// Abdominal CTs to play with.
struct LiverPhantoms: PhantomMaker {
    var summary: String { "Make abdominal CTs to play with: healthy livers, and livers with tumours and the truth." }
    var noun: String { "abdominal CTs" }
    var maskFolder: String { "livers" }
    var truthFolder: String { "tumours" }
    var spacing: Spacing { Spacing(zMM: 5, yMM: 3, xMM: 3) }
    var spacingRange: ClosedRange<Double> { 0.4...12 }
    var details: String {
        """
        Writes DIR/healthy/*.nii.gz and DIR/diseased/*.nii.gz (CTs in HU), DIR/livers (liver masks of both) and
        DIR/tumours (the truth about the diseased ones). The same seed gives the same voxels anywhere.
        """
    }

    func make(
        seed: UInt64, index: Int, isDiseased: Bool, severity: Float, spacing: Spacing, pool: ThreadPool
    ) -> PhantomImages {
        let phantom = AbdomenPhantom.make(
            .init(
                seed: seed, index: isDiseased ? 100_000 + index : index, spacing: spacing, diseased: isDiseased,
                severity: severity),
            pool: pool)
        return PhantomImages(
            ct: phantom.ct.with(phantom.ct.voxels.map { Int16($0) }), mask: phantom.liver, truth: phantom.tumour)
    }
}
