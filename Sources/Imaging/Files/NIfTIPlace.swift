/// Where a NIfTI-1 volume lies. Its header says so up to three times (sform, qform, pixdim), and programs differ in
/// which they believe: nibabel takes the sform and its sizes, SimpleITK the sizes of pixdim. The rule here:
///
/// 1. **sform and pixdim agree** within a thousandth on each axis (with the length of the sform's column, or where it
///    is sheared with the distance of slices): the sform. Within a hundredth likewise, with a warning.
/// 2. **The sform was never set**: all zero, or columns of length 1 beside other sizes in pixdim. The qform where there
///    is one, with a warning; otherwise it is refused.
/// 3. **pixdim was never set**: 0 or no number, or 1 x 1 x 1 with no qform. The sform, with a warning.
/// 4. **Any other contradiction** is refused with both sizes named: nobody but its owner knows which is right.
/// 5. **No sform**: the qform, whose sizes are pixdim's. **Neither**: the voxel size alone.
///
/// An sform and a qform that agree in size may place the volume differently (another space); a warning says so where
/// right and left or any other axis differ. Where a warning overrides a part of the header, masks get a header that
/// says one thing only.
struct NIfTIPlace {
    private(set) var geometry = Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1))
    private(set) var warnings: [String] = []
    /// For another volume on this grid: the file's own to the bit, or one that says what was decided.
    private(set) var header: NIfTIHeader

    private let name: String
    private let reading: NIfTILibrary.Reading
    /// x, y, z, without sign; nil when one of them is 0 or no number.
    private let pixelSizes: [Double]?
    /// A part of the header was overridden.
    private var isOverridden = false

    private static let agreement = 0.001
    private static let agreementWithWarning = 0.01
    /// What a CT's voxel may measure; a unit that leads out of it is taken for a mistake.
    private static let spacingMM = 0.01...100.0

    init(_ header: NIfTIHeader, name: String) throws(ImageFileError) {
        (self.header, self.name) = (header, name)
        let stored = (1...3).map { header.float(NIfTIHeader.Field.pixelSizes + 4 * $0) }
        pixelSizes = stored.allSatisfy { $0.isFinite && $0 != 0 } ? stored.map { Double(abs($0)) } : nil
        // The library would judge numbers that are not used: they are made harmless first.
        var harmless = header
        for (index, size) in stored.enumerated() {
            let size = size.isFinite && size != 0 ? abs(size) : 1
            harmless.set(NIfTIHeader.Field.pixelSizes + 4 * (index + 1), size.bitPattern)
        }
        let quaternion = (0..<6).map { header.float(NIfTIHeader.Field.quaternion + 4 * $0) }
        let isTurned = (quaternion + [header.float(NIfTIHeader.Field.pixelSizes)]).allSatisfy(\.isFinite)
        if !isTurned { harmless.set(NIfTIHeader.Field.qformCode, UInt16(0)) }
        guard let reading = NIfTILibrary.read(harmless.bytes), reading.bytesPerVoxel == header.type.byteCount,
            reading.dimensions == [header.shape.width, header.shape.height, header.shape.depth]
        else { throw .damaged(name, "nifti_clib refuses its header") }
        self.reading = reading
        if stored.contains(where: { $0 < 0 }) {
            warnings.append("Its pixdim is negative: sizes are taken without the sign, as nibabel does; SimpleITK "
                + "shows it mirrored; save it again.")
        }
        if header.qformCode > 0, !isTurned {
            guard header.sformCode > 0 else { throw .damaged(name, "its orientation (qform) is not a number") }
            override("Its qform is not a number: the sform counts; save it again.")
        }
        try inMillimetres(decided())
        if isOverridden { self.header = NIfTIHeader(shape: header.shape, geometry: geometry) }
    }

    private mutating func override(_ warning: String) {
        warnings.append(warning)
        isOverridden = true
    }

    /// By the rule, in the file's own unit.
    private mutating func decided() throws(ImageFileError) -> [Double] {
        guard reading.sformCode > 0 else { return try withoutSform() }
        let sform = reading.sform
        guard sform.allSatisfy(\.isFinite) else { throw .damaged(name, "its orientation (sform) is not a number") }
        let place = Geometry(affine: sform)
        let lengths = [place.spacing.xMM, place.spacing.yMM, place.spacing.zMM]
        if lengths.allSatisfy({ $0 == 0 }) {
            guard let qform, pixelSizes != nil else {
                throw .damaged(name, "its sform is all zero and there is no qform to take its place")
            }
            override("Its sform is all zero: the qform counts, as in SimpleITK; save it again with both set.")
            return qform
        }
        guard let sizes = pixelSizes else {
            override("Its pixdim is 0 or no number: the sform's sizes count, as in nibabel; save it again, since "
                + "SimpleITK takes 1 mm for it.")
            return sform
        }
        let difference = Self.difference(of: sizes, from: place, lengths)
        if difference <= Self.agreementWithWarning {
            if difference > Self.agreement {
                override("Its sform's voxel size \(Self.text(lengths)) is not quite pixdim's \(Self.text(sizes)): "
                    + "the sform counts; save it again with one of them.")
            }
            warnOfOrientation(place)
            return sform
        }
        return try contradiction(lengths: lengths, sizes: sizes)
    }

    private mutating func withoutSform() throws(ImageFileError) -> [Double] {
        guard let sizes = pixelSizes else { throw .damaged(name, "its voxel size (pixdim) is 0 or no number") }
        if let qform { return qform }
        warnings.append("It does not say how the patient lies (neither sform nor qform): its axes are taken to run to "
            + "the right, to anterior and up; left and right are a guess.")
        return Geometry(spacing: Spacing(zMM: sizes[2], yMM: sizes[1], xMM: sizes[0])).affine
    }

    /// The sizes differ: was one of them never set?
    private mutating func contradiction(lengths: [Double], sizes: [Double]) throws(ImageFileError) -> [Double] {
        let both = "Its sform's voxel size is \(Self.text(lengths)) and pixdim's \(Self.text(sizes))"
        if let qform, lengths.allSatisfy({ abs($0 - 1) <= Self.agreement }) {
            override("\(both): an sform of unit length was never set, so the qform counts; nibabel takes the sform's "
                + "size, SimpleITK pixdim's; save it again with one of them.")
            return qform
        }
        if qform == nil, sizes.allSatisfy({ $0 == 1 }) {
            override("\(both): a pixdim of 1 was never set, so the sform counts, as in nibabel; SimpleITK takes "
                + "pixdim's size; save it again with one of them.")
            return reading.sform
        }
        throw ImageFileError(
            name, .damaged,
            "its sform's voxel size is \(Self.text(lengths)) and its pixdim's \(Self.text(sizes)): nibabel would take "
                + "the first, SimpleITK the second",
            remedy: "find out which is right (the DICOM series says) and save it with that in both")
    }

    /// Largest relative difference on an axis.
    private static func difference(of sizes: [Double], from place: Geometry, _ lengths: [Double]) -> Double {
        let box = place.boxSpacing, apart = [box.xMM, box.yMM, box.zMM]
        return sizes.indices.map { index in
            min(abs(lengths[index] / sizes[index] - 1), abs(apart[index] / sizes[index] - 1))
        }.max()!
    }

    /// nil when there is none.
    private var qform: [Double]? {
        guard reading.qformCode > 0 else { return nil }
        return Rotation.affine(
            quaternion: Array(reading.quaternion[0..<3]), offset: Array(reading.quaternion[3..<6]),
            spacing: reading.spacing, handedness: reading.quaternion[6])
    }

    private mutating func warnOfOrientation(_ place: Geometry) {
        guard let qform, let there = try? Geometry(checking: qform, name: name),
            let here = try? Geometry(checking: place.affine, name: name)
        else { return }
        let (by, instead) = (Orientation(nearestTo: here), Orientation(nearestTo: there))
        guard by != instead else { return }
        warnings.append("Its axes run \(by) by its sform and \(instead) by its qform: the sform counts, as in nibabel; "
            + "save it again with one of them.")
    }

    /// NIFTI_UNITS_METER is 1, _MM 2, _MICRON 3; files that say nothing mean millimetres.
    private mutating func inMillimetres(_ affine: [Double]) throws(ImageFileError) {
        let factor = reading.spatialUnits == 1 ? 1000.0 : (reading.spatialUnits == 3 ? 0.001 : 1)
        let spacing = Geometry(affine: affine).spacing, lengths = [spacing.xMM, spacing.yMM, spacing.zMM]
        if factor != 1, !lengths.allSatisfy({ Self.spacingMM.contains($0 * factor) }),
            lengths.allSatisfy(Self.spacingMM.contains) {
            override("Its unit is said to be \(factor > 1 ? "metres" : "microns"), which no CT's voxels of "
                + "\(Self.text(lengths, unit: "")) are in: taken as millimetres, as nibabel does; save it again.")
            geometry = try Geometry(checking: affine, name: name)
            return
        }
        geometry = try Geometry(checking: affine.map { $0 * factor }, name: name)
    }

    private static func text(_ lengths: [Double], unit: String = " mm") -> String {
        lengths.map { "\(($0 * 10_000).rounded() / 10_000)" }.joined(separator: " x ") + unit
    }
}
