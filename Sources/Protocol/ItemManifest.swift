/// The items of a run as the bytes of one blob: `Submission.itemManifest` names it.
///
///     "QNTV", u32 version 1, u32 count, then each item: name, u8 count, blob references
public enum ItemManifest {
    private static let magic: UInt32 = 0x5654_4E51
    private static let version: UInt32 = 1

    /// - Throws: `overLimit` and `invalidText`, naming the field.
    public static func encode(_ items: [ItemSubmission]) throws(ProtocolError) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(magic)
        writer.write(version)
        try writer.write(list: items, "items", max: Limits.manifestItemsMax) {
            (writer, item) throws(ProtocolError) in
            try writer.write(label: item.name, "item.name", max: Limits.nameBytesMax)
            try writer.write(list: item.inputs, "item.inputs", max: Limits.itemInputsMax) {
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
    public static func decode(_ bytes: [UInt8]) throws(ProtocolError) -> [ItemSubmission] {
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
        let items = try reader.list("items", max: Limits.manifestItemsMax, elementBytesMin: 2) {
            (reader) throws(ProtocolError) in
            let name = try reader.label("item.name", max: Limits.nameBytesMax)
            let inputs = try reader.list(
                "item.inputs", max: Limits.itemInputsMax, elementBytesMin: BlobReference.bytesMin
            ) { (reader) throws(ProtocolError) in try BlobReference(from: &reader) }
            return ItemSubmission(name: name, inputs: inputs)
        }
        try reader.finish("the manifest")
        return items
    }
}
