import Glibc

/// An address of a machine, in figures.
public struct HostAddress: Hashable, Sendable {
    /// "10.0.0.7", "2001:db8::7".
    public var text: String
    /// Only the machine itself reaches it.
    public var isLoopback: Bool

    public init(text: String, isLoopback: Bool) {
        self.text = text
        self.isLoopback = isLoopback
    }

    init?(_ address: SocketAddress) {
        guard let text = address.host else { return nil }
        self.init(text: text, isLoopback: address.isLoopback)
    }

    /// Those of this machine that others may reach, IPv4 first; without those that hold for one cable only.
    public static func ofThisMachine() -> [HostAddress] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var found: [(family: Int32, address: HostAddress)] = []
        var entry = list
        while let interface = entry {
            entry = interface.pointee.ifa_next
            guard interface.pointee.ifa_flags & UInt32(IFF_UP) != 0, let pointer = interface.pointee.ifa_addr
            else { continue }
            let family = Int32(pointer.pointee.sa_family)
            guard family == AF_INET || family == AF_INET6 else { continue }
            let count = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
            let address = SocketAddress(UnsafeRawBufferPointer(start: pointer, count: count))
            guard !address.isLoopback, !address.isLinkLocal, let host = HostAddress(address) else { continue }
            found.append((family, host))
        }
        return [AF_INET, AF_INET6].flatMap { family in found.filter { $0.family == family }.map(\.address) }
    }
}

extension NetworkAddress {
    /// What the host's name stands for here.
    /// - Throws: when the name cannot be resolved.
    public func hostAddresses() throws(NetworkError) -> [HostAddress] {
        try resolved(forListening: true).compactMap { HostAddress($0) }
    }
}
