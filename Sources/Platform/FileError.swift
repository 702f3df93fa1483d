import Glibc

/// What the file system refused: doing what, with which file, why, and what helps.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// "write", "open", ...
    public var operation: String
    public var path: String
    /// The system's errno.
    public var code: Int32

    public init(operation: String, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// The disk or the quota is full: worth waiting for, unlike most other errors.
    public var isDiskFull: Bool { code == ENOSPC || code == EDQUOT }
    public var isMissing: Bool { code == ENOENT || code == ENOTDIR }

    public var description: String {
        "cannot \(operation) \(path): \(reason)" + (remedy.map { "; \($0)" } ?? "")
    }

    /// In the system's words.
    public var reason: String {
        code == ENOTUNIQ ? "the folder belongs to another user, or to all of them" : String(cString: strerror(code))
    }

    private var remedy: String? {
        switch code {
        case ENOSPC: "the disk holding it is full: free some space"
        case EDQUOT: "your quota on that disk is used up: free some space"
        case EACCES, EPERM: "check the owner and the permissions of the file and of the folders above it"
        case ENOENT: "check the path"
        case ENOTDIR: "a part of the path is a file, not a folder"
        case EISDIR: "it is a folder, not a file"
        case EROFS: "the file system is mounted read-only; choose another folder"
        case EMFILE: "this process has too many files open; raise the limit (ulimit -n)"
        case ENFILE: "the machine has too many files open"
        case EIO: "the disk reports an error; check its health (dmesg) before you go on"
        case EFBIG: "the file is larger than can be right here"
        case ENAMETOOLONG: "shorten the name"
        case ELOOP: "its symbolic links run in a circle, or a link lies where a file of ours should be: remove it"
        case ENOTUNIQ: "choose a folder of your own, or give it to this user (chown)"
        default: nil
        }
    }
}
