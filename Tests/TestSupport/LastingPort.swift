import Platform

/// For a server that ends and comes back at its port: none that the system gives away by itself, or a connection of a
/// test beside may have it by then.
package func lastingPort() throws -> UInt16 {
    let loop = try NetworkLoop()
    while true {
        let port = UInt16.random(in: 10_000..<30_000)
        if (try? loop.listen(host: "127.0.0.1", port: port, security: .plaintext)) != nil { return port }
    }
}
