import Glibc

/// How many files and connections this process may have open.
public enum OpenFileLimit {
    /// Raises the soft limit as far as the hard one lets it; never lowers it. Shells often start programs with 1024.
    /// - Returns: the limit now.
    @discardableResult
    public static func raise(to count: Int) -> Int {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return 0 }
        if limit.rlim_cur < UInt(count) {
            limit.rlim_cur = min(UInt(count), limit.rlim_max)
            setrlimit(resource, &limit)
            getrlimit(resource, &limit)
        }
        return Int(clamping: limit.rlim_cur)
    }
}
