import Platform
import Protocol

/// The database of another coordinator, as a standby keeps it: nothing is changed in it but what was changed there.
package final class StandbyStore {
    private let database: Database

    /// - Throws: `StoreError`; of kind newerSchema, or `CoordinatorError`, where the other program is not of this
    ///   version.
    package init(path: String) throws {
        database = try Database(path: path)
        var version = 0
        try database.query("PRAGMA user_version") { version = $0.int(0) }
        guard version == Migrations.steps.count else {
            throw CoordinatorError(
                "the coordinator there keeps its state in schema \(version), this program in "
                    + "\(Migrations.steps.count): a standby has to be of the same version; update the older of the two")
        }
        try Migrations.check(database)
    }

    package func apply(_ changeset: [UInt8]) throws { try database.apply(changes: changeset) }

    /// All blobs that it refers to.
    package func blobs() throws -> [BlobReference] {
        var found: [BlobReference] = []
        try database.query("SELECT digest, byte_count FROM blobs WHERE ifnull(external_path, '-') <> ''") { row in
            guard let digest = ContentDigest(hexadecimal: row.text(0)) else { return }
            found.append(BlobReference(role: "blob", name: row.text(0), digest: digest, byteCount: row.bits(1)))
        }
        return found
    }

    /// nil for one that it does not refer to, any more.
    package func blob(_ digest: ContentDigest) throws -> BlobReference? {
        var found: BlobReference?
        try database.query("SELECT byte_count FROM blobs WHERE digest = ?", .text("\(digest)")) {
            found = BlobReference(role: "blob", name: "\(digest)", digest: digest, byteCount: $0.bits(0))
        }
        return found
    }

    /// Files that lay elsewhere on the other machine lie among the blobs here.
    func forgetExternalPaths() throws {
        try database.run("UPDATE blobs SET external_path = NULL WHERE external_path <> ''")
    }

    package func close() { database.close() }
}
