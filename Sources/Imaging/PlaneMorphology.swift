import Numerics

/// Opening and closing of masks as OpenCV's `morphologyEx` computes them on pictures: what lies beyond the border takes
/// no part, neither as mask nor as background. (`Morphology` has background there, as scipy does: its opening takes
/// away what touches the border.) Exact.
public enum PlaneMorphology {
    /// Erosion, then dilation: takes away what the element does not fit into.
    public static func opened(_ mask: Mask, by element: StructuringElement, pool: ThreadPool? = nil) -> Mask {
        BitVolume(mask, pool: pool).openedWithin(by: element, pool: pool).mask(geometry: mask.geometry, pool: pool)
    }

    /// Dilation, then erosion: closes gaps that the element does not fit into.
    public static func closed(_ mask: Mask, by element: StructuringElement, pool: ThreadPool? = nil) -> Mask {
        BitVolume(mask, pool: pool).closedWithin(by: element, pool: pool).mask(geometry: mask.geometry, pool: pool)
    }
}

extension BitVolume {
    /// A voxel stays where the element's voxels, those of them that lie in the volume, are all set.
    package func erodedWithin(by element: StructuringElement, pool: ThreadPool?) -> BitVolume {
        complement().dilated(by: element, pool: pool).complement()
    }

    package func openedWithin(by element: StructuringElement, pool: ThreadPool?) -> BitVolume {
        erodedWithin(by: element, pool: pool).dilated(by: element, pool: pool)
    }

    package func closedWithin(by element: StructuringElement, pool: ThreadPool?) -> BitVolume {
        dilated(by: element, pool: pool).erodedWithin(by: element, pool: pool)
    }
}
