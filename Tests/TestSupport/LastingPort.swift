import Platform

/// A port that stays the same over a coordinator's restarts: none of those that the system gives to outgoing
/// connections, which another test could get in between, and given to nobody else in this process: of forty tests that
/// choose among 20,000 at random two meet once in 25 runs, and a coordinator that starts again while the other's has
/// its port never comes back.
package func lastingPort() throws -> UInt16 {
    let loop = try NetworkLoop()
    while true {
        let port = UInt16.random(in: 10_000..<30_000)
        guard givenPorts.withLock({ $0.insert(port).inserted }) else { continue }
        if (try? loop.listen(host: "127.0.0.1", port: port, security: .plaintext)) != nil { return port }
    }
}

private let givenPorts = Guarded<Set<UInt16>>([])
