/// The items of a run as the bytes of one blob: `Submission.itemManifest` names it.
///
///     "QNTV", u32 version 2, u32 count, then each item: name, u8 count, blob references, u8 count, paths on a shared
///     file system (none, or one for each blob), u64 memory in bytes
public enum ItemManifest {
    private static let magic: UInt32 = 0x5654_4E51
    private static let version: UInt32 = 2

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
            try writer.write(list: try checkedPaths(item), "item.paths", max: Limits.itemInputsMax) {
                (writer, path) throws(ProtocolError) in try SharedPlace.write(path, "item.path", to: &writer)
            }
            writer.write(item.memoryByteCount)
        }
        guard writer.bytes.count <= Limits.manifestBytesMax else {
            throw .overLimit(
                field: "manifest", count: UInt64(writer.bytes.count), limit: UInt64(Limits.manifestBytesMax))
        }
        return writer.bytes
    }

    /// None, or one for each input.
    private static func checkedPaths(_ item: ItemSubmission) throws(ProtocolError) -> [String] {
        guard item.paths.isEmpty || item.paths.count == item.inputs.count else {
            throw .invalidValue(field: "item.paths", value: "\(item.paths.count) for \(item.inputs.count) inputs")
        }
        return item.paths
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
        let items = try reader.list("items", max: Limits.manifestItemsMax, elementBytesMin: 11) {
            (reader) throws(ProtocolError) in
            let name = try reader.label("item.name", max: Limits.nameBytesMax)
            let inputs = try reader.list(
                "item.inputs", max: Limits.itemInputsMax, elementBytesMin: BlobReference.bytesMin
            ) { (reader) throws(ProtocolError) in try BlobReference(from: &reader) }
            let paths = try reader.list("item.paths", max: Limits.itemInputsMax, elementBytesMin: 3) {
                (reader) throws(ProtocolError) in try SharedPlace.path("item.path", from: &reader)
            }
            let item = ItemSubmission(
                name: name, inputs: inputs, paths: paths, memoryByteCount: try reader.number("item.memoryByteCount"))
            _ = try checkedPaths(item)
            return item
        }
        try reader.finish("the manifest")
        return items
    }
}
