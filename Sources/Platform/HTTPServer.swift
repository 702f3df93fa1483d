import CMicroHTTPD
import Glibc

// The one door to libmicrohttpd.

/// What somebody asks a `HTTPServer`.
public struct HTTPRequest: Hashable, Sendable {
    /// "GET"; a peer's word.
    public var method: String
    /// "/metrics", without what follows a question mark; a peer's word.
    public var path: String

    public init(method: String, path: String) {
        self.method = method
        self.path = path
    }
}

/// What it is told.
public struct HTTPResponse: Hashable, Sendable {
    /// 200, 404.
    public var status: UInt32
    public var contentType: String
    public var body: String

    public init(status: UInt32, contentType: String = "text/plain; charset=utf-8", body: String) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }
}

/// Why there are no pages.
public struct HTTPServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong and what to do.
    public var description: String
}

/// Pages over HTTP for machines that ask now and then: one thread, one request at a time, at most 64 connections, each
/// for 10 s. libmicrohttpd is opened when the first server is made and not before.
public final class HTTPServer: @unchecked Sendable {
    /// Where it listens.
    public let port: UInt16
    // Unchecked: set once, and ended in `stop` only.
    private let server: OpaquePointer
    private let context: Unmanaged<Context>

    private final class Context: Sendable {
        let answer: @Sendable (HTTPRequest) -> HTTPResponse
        init(_ answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse) { self.answer = answer }
    }

    /// Listens at once.
    /// - Parameter answer: called on the server's thread for every request, a HEAD among them.
    /// - Throws: `HTTPServerError` where the library is missing or the address is taken; `NetworkError` for a name that
    ///   is nobody's.
    public init(address: NetworkAddress, answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse) throws {
        let addresses = try address.resolved(forListening: true)
        // One IPv6 socket serves IPv4, too.
        let chosen = address.host == "*" ? addresses.max { $0.family < $1.family }! : addresses[0]
        let context = Unmanaged.passRetained(Context(answer))
        var why = [CChar](repeating: 0, count: 512)
        let started = chosen.withPointer { pointer, byteCount in
            quintet_http_start(pointer, byteCount, Self.handle, context.toOpaque(), &why, why.count)
        }
        guard let started else {
            context.release()
            let text = String(decoding: why.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw HTTPServerError(description: "no pages at \(address): \(text)")
        }
        (server, self.context) = (started, context)
        port = quintet_http_port(started)
    }

    /// Ends it, once; `answer` is not called any more when this returns.
    public func stop() {
        quintet_http_stop(server)
        context.release()
    }

    private static let handle: quintet_http_handler = { context, method, path in
        let answer = Unmanaged<Context>.fromOpaque(context!).takeUnretainedValue().answer
        let response = answer(HTTPRequest(method: String(cString: method!), path: String(cString: path!)))
        var body = response.body
        return body.withUTF8 { bytes in
            // At least one byte: malloc of none may give nothing.
            guard let copy = malloc(max(1, bytes.count)) else {
                return quintet_http_answer(
                    status: 500, content_type: contentType("text/plain"), body: nil, byte_count: 0)
            }
            if let base = bytes.baseAddress { memcpy(copy, base, bytes.count) }
            return quintet_http_answer(
                status: response.status, content_type: contentType(response.contentType), body: copy,
                byte_count: bytes.count)
        }
    }

    /// libmicrohttpd copies it, so it must outlive the call only: of each there is one for ever.
    private static func contentType(_ text: String) -> UnsafePointer<CChar> {
        contentTypes.withLock { known in
            if let pointer = known[text] { return UnsafePointer(bitPattern: pointer)! }
            let pointer = strdup(text)!
            known[text] = UInt(bitPattern: pointer)
            return UnsafePointer(pointer)
        }
    }

    private static let contentTypes = Guarded<[String: UInt]>([:])
}
