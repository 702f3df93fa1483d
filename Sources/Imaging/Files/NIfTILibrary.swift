import CNIfTI

/// The only door to nifti_clib (libniftiio). It gets to see headers that have passed `NIfTIHeader`'s own check and
/// nothing else: it never opens a file and never holds a voxel.
enum NIfTILibrary {
    static let headerByteCount = MemoryLayout<nifti_1_header>.size

    /// What the library makes of a header.
    struct Reading {
        /// x, y, z.
        var dimensions: [Int]
        var datatype: Int
        var bytesPerVoxel: Int
        var dataOffset: Int
        var scaling: VoxelScaling
        var spatialUnits: Int
        var qformCode: Int
        var sformCode: Int
        /// b, c, d, then the offset's x, y, z, then qfac.
        var quaternion: [Double]
        var spacing: [Double]
        /// Row-major 3x4; meaningful when `sformCode` > 0.
        var sform: [Double]
    }

    /// Swaps the byte order of every field of a NIfTI-1 header.
    static func swapped(_ header: [UInt8]) -> [UInt8] {
        var structure = load(header)
        swap_nifti_header(&structure, 1)
        return store(structure)
    }

    /// nil when the library refuses the header.
    /// - Parameter header: 348 bytes in this machine's order.
    static func read(_ header: [UInt8]) -> Reading? {
        _ = quiet
        var structure = load(header)
        guard nifti_hdr_looks_good(&structure) != 0, let image = nifti_convert_nhdr2nim(structure, nil) else {
            return nil
        }
        defer { nifti_image_free(image) }
        let it = image.pointee
        let rows = it.sto_xyz.m
        let sform = [rows.0, rows.1, rows.2].flatMap { [$0.0, $0.1, $0.2, $0.3] }
        return Reading(
            dimensions: [Int(it.nx), Int(it.ny), Int(it.nz)], datatype: Int(it.datatype),
            bytesPerVoxel: Int(it.nbyper), dataOffset: Int(it.iname_offset),
            scaling: VoxelScaling(slope: Double(it.scl_slope), intercept: Double(it.scl_inter)),
            spatialUnits: Int(it.xyz_units), qformCode: Int(it.qform_code), sformCode: Int(it.sform_code),
            quaternion: [it.quatern_b, it.quatern_c, it.quatern_d, it.qoffset_x, it.qoffset_y, it.qoffset_z, it.qfac]
                .map(Double.init),
            spacing: [it.dx, it.dy, it.dz].map(Double.init), sform: sform.map(Double.init))
    }

    /// A fresh NIfTI-1 header for one file with its data, in this machine's byte order.
    static func makeHeader(shape: VolumeShape, datatype: Int) -> [UInt8] {
        _ = quiet
        let dimensions = [3, shape.width, shape.height, shape.depth, 1, 1, 1, 1].map(Int32.init)
        guard let header = nifti_make_new_header(dimensions, Int32(datatype)) else {
            preconditionFailure("nifti_clib makes no header for \(shape)")
        }
        defer { free(header) }
        return store(header.pointee)
    }

    /// The library would print its opinion to stderr.
    private static let quiet: Void = nifti_set_debug_level(0)

    private static func load(_ header: [UInt8]) -> nifti_1_header {
        precondition(header.count == headerByteCount)
        return header.withUnsafeBytes { $0.loadUnaligned(as: nifti_1_header.self) }
    }

    private static func store(_ structure: nifti_1_header) -> [UInt8] {
        withUnsafeBytes(of: structure) { Array($0) }
    }
}
