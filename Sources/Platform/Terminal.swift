import Glibc

/// The terminal behind a descriptor, for progress lines.
public enum Terminal {
    /// Whether someone watches: progress lines that overwrite themselves are for terminals only.
    public static func isTerminal(_ descriptor: Int32 = STDOUT_FILENO) -> Bool { isatty(descriptor) == 1 }

    /// Columns; 80 where there is no terminal.
    public static func width(_ descriptor: Int32 = STDOUT_FILENO) -> Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}
