import Glibc

/// The socket calls of `NetworkLoop`, each with the options that it wants.
enum Socket {
    enum Transfer {
        case bytes(Int)
        /// Nothing now; poll tells when.
        case later
        case ended
        case failed(Int32)
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// A nonblocking stream socket, or -1 with errno. From its birth no child inherits it: a child that another thread
    /// starts just now would keep the port.
    private static func make(_ address: SocketAddress) -> Int32 {
        let kind = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        return socket(address.family, Int32(kind), 0)
    }

    /// Nonblocking, and inherited by no child from its birth, as ours. - Returns: the socket, or -1 with errno.
    static func accepted(from listener: Int32) -> Int32 {
        accept4(listener, nil, nil, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
    }

    /// Both ends, nonblocking, of a pipe that no child inherits: to read from, to write to; nil with errno.
    static func pipe() -> (Int32, Int32)? {
        var descriptors: [Int32] = [-1, -1]
        return pipe2(&descriptors, O_NONBLOCK | O_CLOEXEC) == 0 ? (descriptors[0], descriptors[1]) : nil
    }

    /// No delay for small messages; a peer whose machine is gone is noticed within half a minute.
    static func setConnectionOptions(_ descriptor: Int32) {
        let tcp = Int32(IPPROTO_TCP)
        set(descriptor, tcp, TCP_NODELAY, 1)
        set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        set(descriptor, tcp, TCP_KEEPIDLE, 15)
        set(descriptor, tcp, TCP_KEEPINTVL, 5)
        set(descriptor, tcp, TCP_KEEPCNT, 3)
        set(descriptor, tcp, TCP_USER_TIMEOUT, 30_000)
    }

    /// - Returns: the listening socket, or nil with errno.
    static func listening(at address: SocketAddress, isSharedWithIPv4: Bool) -> Int32? {
        let descriptor = make(address)
        guard descriptor >= 0 else { return nil }
        set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        if address.family == AF_INET6 {
            set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, isSharedWithIPv4 ? 0 : 1)
        }
        if address.withPointer({ bind(descriptor, $0, $1) }) == 0 && listen(descriptor, 512) == 0 {
            return descriptor
        }
        let code = errno
        close(descriptor)
        errno = code
        return nil
    }

    /// What Linux itself falls back to (tcp_base_mss): with its headers it passes every tunnel in use.
    static let smallSegmentBytes: Int32 = 1024

    /// Begins to connect. - Returns: the socket, or nil with errno.
    /// - Parameter hasSmallSegments: neither side ever sends larger ones; the other one learns it with the first
    ///   packet.
    static func connecting(to address: SocketAddress, hasSmallSegments: Bool) -> Int32? {
        let descriptor = make(address)
        guard descriptor >= 0 else { return nil }
        setConnectionOptions(descriptor)
        if hasSmallSegments { set(descriptor, Int32(IPPROTO_TCP), TCP_MAXSEG, smallSegmentBytes) }
        if address.withPointer({ connect(descriptor, $0, $1) }) == 0 || errno == EINPROGRESS || errno == EINTR {
            return descriptor
        }
        let code = errno
        close(descriptor)
        errno = code
        return nil
    }

    /// The outcome of connecting: 0 or an errno.
    static func pendingError(_ descriptor: Int32) -> Int32 {
        var code: Int32 = 0, size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno
    }

    static func localAddress(_ descriptor: Int32) -> SocketAddress? {
        address { getsockname(descriptor, $0, $1) }
    }

    static func peerAddress(_ descriptor: Int32) -> SocketAddress? {
        address { getpeername(descriptor, $0, $1) }
    }

    private static func address(
        _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> SocketAddress? {
        var storage = sockaddr_storage(), size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, &size) }
        }
        guard code == 0 else { return nil }
        return withUnsafeBytes(of: &storage) { SocketAddress(UnsafeRawBufferPointer(rebasing: $0[..<Int(size)])) }
    }

    static func receive(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        transfer { recv(descriptor, buffer.baseAddress, buffer.count, 0) }
    }

    static func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Transfer {
        // Without a signal when the peer is gone.
        transfer { Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
    }

    private static func transfer(_ call: () -> Int) -> Transfer {
        while true {
            let count = call()
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .later
            default: return .failed(errno)
            }
        }
    }
}

// Two of Linux's own, which Swift's view of glibc leaves out: descriptors that no child inherits from their birth.

@_silgen_name("accept4")
private func accept4(
    _ listener: Int32, _ address: UnsafeMutablePointer<sockaddr>?, _ size: UnsafeMutablePointer<socklen_t>?,
    _ flags: Int32
) -> Int32

@_silgen_name("pipe2")
private func pipe2(_ descriptors: UnsafeMutablePointer<Int32>, _ flags: Int32) -> Int32
