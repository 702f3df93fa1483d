import CBuild

/// The program's version.
enum Version {
    /// As run.json and manual pages say it.
    static let text = "0.1.0"
    /// With the commit it was built from, as `--version` and handshakes say it: "0.1.0+3fa1c2d4e5f6". Without one where
    /// it was not built by the Makefile.
    static let build: String = {
        let commit = String(cString: quintet_build_commit())
        return commit.isEmpty ? text : "\(text)+\(commit)"
    }()
}
