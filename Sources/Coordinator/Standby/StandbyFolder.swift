import Platform

/// The folder of a coordinator that follows another one. Until it is promoted it is nobody's to go on from: a mark lies
/// in it, and whoever wants to make it a coordinator's leaves a wish beside it.
public enum StandbyFolder {
    private static func mark(_ folder: String) -> String { folder + "/standby" }
    private static func wish(_ folder: String) -> String { folder + "/promote" }

    static func isStandbys(_ folder: String) -> Bool { FileSystem.exists(mark(folder)) }

    /// Makes a folder a standby's, or finds that it is one.
    /// - Throws: `CoordinatorError` for a folder that is a coordinator's: nothing of it is overwritten.
    static func claim(_ folder: String, following address: String) throws {
        guard !isStandbys(folder) else { return }
        guard !FileSystem.exists(folder + "/state.sqlite") else {
            throw CoordinatorError(
                "\(folder) is a coordinator's own: a standby needs an empty folder, since it takes over what the other "
                    + "has; name another one")
        }
        try AtomicFile.write("follows \(address)\n", to: mark(folder))
    }

    /// - Throws: `CoordinatorError` where a standby's folder would be gone on from.
    static func refuse(_ folder: String) throws {
        guard isStandbys(folder) else { return }
        throw CoordinatorError(
            "\(folder) is a standby's; if the coordinator that it follows is gone for good, "
                + "`quintet promote \(folder)` makes it a coordinator's")
    }

    static func isPromotionWished(_ folder: String) -> Bool { FileSystem.exists(wish(folder)) }

    /// From now on it is a coordinator's.
    static func promote(_ folder: String) throws {
        try FileSystem.remove(mark(folder))
        if isPromotionWished(folder) { try FileSystem.remove(wish(folder)) }
        try FileSystem.syncFolder(folder)
    }

    /// What `requestPromotion` has led to.
    public enum Promotion: Sendable {
        /// Nobody uses the folder: a coordinator may begin there.
        case done
        /// The process that follows there goes on as the coordinator in a moment.
        case wished
    }

    /// Makes a standby's folder a coordinator's; the process that follows there, if any, becomes the coordinator.
    /// - Throws: `CoordinatorError` for a folder that is no standby's, or that has nothing yet.
    public static func requestPromotion(_ folder: String) throws -> Promotion {
        guard isStandbys(folder) else { throw CoordinatorError("\(folder) is no standby's folder") }
        guard FileSystem.exists(folder + "/state.sqlite") else {
            throw CoordinatorError("\(folder) has nothing of the other coordinator yet; there is nothing to promote")
        }
        let lock: FolderLock
        do { lock = try FolderLock(folder: folder) } catch is FolderLock.Held {
            try AtomicFile.write("", to: wish(folder))
            return .wished
        }
        try withExtendedLifetime(lock) { try promote(folder) }
        return .done
    }
}
