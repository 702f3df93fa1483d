import Glibc

/// A host and a port as people write them: "lab3:7000", "10.0.0.7:7000", "[::1]:7000"; "*:7000" is every address of
/// this machine.
public struct NetworkAddress: Hashable, Sendable, CustomStringConvertible {
    public var host: String
    public var port: UInt16

    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// - Parameter defaultPort: for a text without a port.
    /// - Throws: what is wrong with the text and how it should look.
    public init(parsing text: String, defaultPort: UInt16? = nil) throws(NetworkError) {
        let form = "'\(text)' is not an address; write HOST:PORT, as in lab3:7000, 10.0.0.7:7000 or [::1]:7000"
        var host = text[...], port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw NetworkError(form) }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw NetworkError(form) }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        let allowed = { (byte: UInt8) in byte > 0x20 && byte < 0x7F }
        guard !host.isEmpty, host.utf8.count <= 253, host.utf8.allSatisfy(allowed) else { throw NetworkError(form) }
        self.host = String(host)
        if let port {
            guard port.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let number = UInt16(port) else {
                throw NetworkError(form)
            }
            self.port = number
        } else if let defaultPort {
            self.port = defaultPort
        } else {
            throw NetworkError(form)
        }
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether only this machine can reach it: every address that the host's name stands for is a loopback one.
    /// - Throws: when the name cannot be resolved.
    public func isLoopback() throws(NetworkError) -> Bool {
        try resolved(forListening: true).allSatisfy(\.isLoopback)
    }

    /// Asks the system's resolver, which may take seconds.
    func resolved(forListening: Bool) throws(NetworkError) -> [SocketAddress] {
        var hints = addrinfo(), list: UnsafeMutablePointer<addrinfo>?
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (forListening ? AI_PASSIVE : 0)
        let code = getaddrinfo(host == "*" ? nil : host, String(port), &hints, &list)
        guard code == 0 else {
            throw NetworkError("cannot find the host '\(host)': \(String(cString: gai_strerror(code))); check the name")
        }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var entry = list
        while let info = entry {
            if info.pointee.ai_family == AF_INET || info.pointee.ai_family == AF_INET6,
                let address = info.pointee.ai_addr
            {
                addresses.append(
                    SocketAddress(UnsafeRawBufferPointer(start: address, count: Int(info.pointee.ai_addrlen))))
            }
            entry = info.pointee.ai_next
        }
        guard !addresses.isEmpty else { throw NetworkError("the host '\(host)' has no IPv4 or IPv6 address") }
        return addresses
    }
}

/// A sockaddr of IPv4 or IPv6 as bytes.
struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    private(set) var bytes: [UInt8]

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = Array(bytes) }

    var family: Int32 { bytes.withUnsafeBytes { Int32($0.loadUnaligned(as: sa_family_t.self)) } }

    /// In both families the port is the two bytes after the family, in network order.
    var port: UInt16 {
        get { UInt16(bytes[2]) << 8 | UInt16(bytes[3]) }
        set { (bytes[2], bytes[3]) = (UInt8(newValue >> 8), UInt8(newValue & 0xFF)) }
    }

    var isLoopback: Bool {
        if family == AF_INET { return bytes[4] == 127 }
        let address = bytes[8..<24]
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 127]
        return address.dropLast().allSatisfy { $0 == 0 } && address.last == 1 || address.starts(with: mapped)
    }

    /// The address without the port; an IPv6 network of 64 bits counts as one machine, which has all of it.
    var machine: [UInt8] {
        if family == AF_INET { return Array(bytes[4..<8]) }
        return Array(isMappedIPv4 ? bytes[20..<24] : bytes[8..<16])
    }

    private var isMappedIPv4: Bool {
        bytes[8..<20].elementsEqual([UInt8](repeating: 0, count: 10) + [0xFF, 0xFF])
    }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        bytes.withUnsafeBytes { body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count)) }
    }

    /// 169.254.0.0/16 and fe80::/10: they hold for the one cable.
    var isLinkLocal: Bool {
        family == AF_INET ? bytes[4] == 169 && bytes[5] == 254 : bytes[8] == 0xFE && bytes[9] & 0xC0 == 0x80
    }

    /// "127.0.0.1", "::1".
    var host: String? {
        var host = [CChar](repeating: 0, count: 256)
        let code = withPointer { getnameinfo($0, $1, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) }
        guard code == 0 else { return nil }
        return String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// "127.0.0.1:7000", "[::1]:7000".
    var description: String {
        host.map { NetworkAddress(host: $0, port: port).description } ?? "unknown address"
    }
}
