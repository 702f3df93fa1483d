/// The volumes of an archive as the bytes of one blob: `Submission.volumeManifest` names it.
///
///     "QNTV", u32 version 1, u32 count, then each volume: name, u8 count, blob references
public enum VolumeManifest {
    private static let magic: UInt32 = 0x5654_4E51
    private static let version: UInt32 = 1

    /// - Throws: `overLimit` and `invalidText`, naming the field.
    public static func encode(_ volumes: [VolumeSubmission]) throws(ProtocolError) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(magic)
        writer.write(version)
        try writer.write(list: volumes, "volumes", max: Limits.manifestVolumesMax) {
            (writer, volume) throws(ProtocolError) in
            try writer.write(label: volume.name, "volume.name", max: Limits.nameBytesMax)
            try writer.write(list: volume.inputs, "volume.inputs", max: Limits.volumeInputsMax) {
                (writer, input) throws(ProtocolError) in try input.write(to: &writer)
            }
        }
        guard writer.bytes.count <= Limits.manifestBytesMax else {
            throw .overLimit(
                field: "manifest", count: UInt64(writer.bytes.count), limit: UInt64(Limits.manifestBytesMax))
        }
        return writer.bytes
    }

    /// - Throws: a `ProtocolError` for anything that `encode` does not write.
    public static func decode(_ bytes: [UInt8]) throws(ProtocolError) -> [VolumeSubmission] {
        guard bytes.count <= Limits.manifestBytesMax else {
            throw .overLimit(field: "manifest", count: UInt64(bytes.count), limit: UInt64(Limits.manifestBytesMax))
        }
        var reader = ByteReader(bytes)
        let found: UInt32 = try reader.number("manifest.magic")
        guard found == magic else { throw .invalidValue(field: "manifest.magic", value: "\(found)") }
        let foundVersion: UInt32 = try reader.number("manifest.version")
        guard foundVersion == version else {
            throw .invalidValue(field: "manifest.version", value: "\(foundVersion)")
        }
        let volumes = try reader.list("volumes", max: Limits.manifestVolumesMax, elementBytesMin: 2) {
            (reader) throws(ProtocolError) in
            let name = try reader.label("volume.name", max: Limits.nameBytesMax)
            let inputs = try reader.list(
                "volume.inputs", max: Limits.volumeInputsMax, elementBytesMin: BlobReference.bytesMin
            ) { (reader) throws(ProtocolError) in try BlobReference(from: &reader) }
            return VolumeSubmission(name: name, inputs: inputs)
        }
        try reader.finish("the manifest")
        return volumes
    }
}
