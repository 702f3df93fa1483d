import Platform

/// `--threads N`; all that this process may keep busy when it is not given.
enum Threads {
    static func count(_ arguments: Arguments) throws -> Int {
        try arguments.integer("--threads", 1...1024) ?? min(1024, Machine.coreCount)
    }
}
