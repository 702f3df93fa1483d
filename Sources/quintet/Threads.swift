import Platform

/// `--threads N`; all processors when it is not given.
enum Threads {
    static func count(_ arguments: Arguments) throws -> Int {
        try arguments.integer("--threads", 1...256) ?? Machine.coreCount
    }
}
