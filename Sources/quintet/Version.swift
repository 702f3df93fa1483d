/// The program's version, as `--version`, handshakes and run.json say it.
enum Version {
    static let text = "0.1.0"
}
