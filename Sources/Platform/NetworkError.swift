import Glibc

/// Why the network could not be used as asked: what, and what helps.
public struct NetworkError: Error, Hashable, Sendable, CustomStringConvertible {
    public var message: String
    public var description: String { message }

    public init(_ message: String) { self.message = message }

    init(_ what: String, code: Int32) {
        let remedy: String? =
            switch code {
            case EADDRINUSE: "another program has this port; choose another one (--listen HOST:PORT)"
            case EADDRNOTAVAIL: "this machine does not have that address"
            case EACCES: "ports below 1024 need special rights; choose a higher one"
            case ECONNREFUSED: "nobody listens there; is the coordinator running, and is the port right?"
            case ETIMEDOUT, EHOSTUNREACH, ENETUNREACH: "check the address, the network and firewalls between"
            case EMFILE, ENFILE: "too many files and connections are open; raise the limit (ulimit -n)"
            default: nil
            }
        message = "\(what): \(String(cString: strerror(code)))" + (remedy.map { "; \($0)" } ?? "")
    }
}

/// Another machine, and no token to talk to it with: nothing goes there in the clear, not even a hello.
public struct PlaintextError: Error, Hashable, Sendable, CustomStringConvertible {
    public var target: NetworkAddress

    public init(target: NetworkAddress) { self.target = target }

    public var description: String {
        "\(target) is another machine, and without a token everything would go there in the clear; make one with "
            + "`quintet token new FILE`, give it to the coordinator there and say --token-file FILE here, too"
    }
}
