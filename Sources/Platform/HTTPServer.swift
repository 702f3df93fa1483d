import CMicroHTTPD
import Glibc

// The one door to libmicrohttpd.

/// Pages over HTTP. libmicrohttpd is opened when the first server is made and not before.
public final class HTTPServer: @unchecked Sendable {
    /// How much a server takes of whom.
    public struct Settings: Sendable {
        /// Connections at a time, of all and of one address; each is given up after so long without a word.
        public var connectionsMax: UInt32 = 64
        public var connectionsPerAddressMax: UInt32 = 16
        public var timeoutSeconds: UInt32 = 10
        /// A stream whose listener takes nothing for so long is given up.
        public var streamTimeoutSeconds: UInt32 = 30
        /// What comes with a request; more is refused.
        public var bodyBytesMax = 0
        /// Each connection has a thread of its own, so that answers may wait; else one serves all, one at a time.
        public var hasThreads = false
        /// What is read of a request; everything else is never looked at.
        public var headers: [String] = []
        public var query: [String] = []
        /// Certificates and private key, PEM texts; nil for plain HTTP.
        public var certificate: (chain: String, key: String)?

        /// For machines that ask now and then: one thread, nothing but paths.
        public init() {}
    }

    /// Where it listens.
    public let port: UInt16
    // Unchecked: set once, and ended in `stop` only.
    private let server: OpaquePointer
    private let context: Unmanaged<Context>

    private final class Context: Sendable {
        let settings: Settings
        let answer: @Sendable (HTTPRequest) -> HTTPResponse

        init(_ settings: Settings, _ answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse) {
            (self.settings, self.answer) = (settings, answer)
        }
    }

    /// Whether the library is on this machine.
    public static var isPossible: Bool { quintet_http_is_here() != 0 }

    /// Listens at once.
    /// - Parameter answer: called on a thread of the server's for every request, a HEAD among them.
    /// - Throws: `HTTPServerError` where the library is missing or the address is taken; `NetworkError` for a name that
    ///   is nobody's.
    public init(
        address: NetworkAddress, settings: Settings = Settings(),
        answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse
    ) throws {
        let addresses = try address.resolved(forListening: true)
        // One IPv6 socket serves IPv4, too.
        let chosen = address.host == "*" ? addresses.max { $0.family < $1.family }! : addresses[0]
        let context = Unmanaged.passRetained(Context(settings, answer))
        var why = [CChar](repeating: 0, count: 512)
        let started = Self.withSettings(settings) { settings in
            chosen.withPointer { pointer, byteCount in
                quintet_http_start(pointer, byteCount, settings, Self.handle, context.toOpaque(), &why, why.count)
            }
        }
        guard let started else {
            context.release()
            let text = String(decoding: why.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw HTTPServerError(description: "no pages at \(address): \(text)")
        }
        (server, self.context) = (started, context)
        port = quintet_http_port(started)
    }

    private static func withSettings<Result>(
        _ settings: Settings, _ body: (UnsafePointer<quintet_http_settings>) -> Result
    ) -> Result {
        var made = quintet_http_settings(
            connections_max: settings.connectionsMax, connections_per_address_max: settings.connectionsPerAddressMax,
            timeout_seconds: settings.timeoutSeconds, body_byte_count_max: settings.bodyBytesMax,
            has_threads: settings.hasThreads ? 1 : 0, certificate: nil, key: nil)
        guard let (chain, key) = settings.certificate else { return body(&made) }
        return chain.withCString { chain in
            key.withCString { key in
                (made.certificate, made.key) = (chain, key)
                return body(&made)
            }
        }
    }

    /// Ends it, once; `answer` is not called any more when this returns. Streams that wait have to end before.
    public func stop() {
        quintet_http_stop(server)
        context.release()
    }

    private static let handle: quintet_http_handler = { context, request, method, path in
        let context = Unmanaged<Context>.fromOpaque(context!).takeUnretainedValue()
        var asked = HTTPRequest(method: String(cString: method!), path: String(cString: path!))
        for name in context.settings.headers {
            if let value = quintet_http_header(request, name) { asked.headers[name] = String(cString: value) }
        }
        for name in context.settings.query {
            if let value = quintet_http_query(request, name) { asked.query[name] = String(cString: value) }
        }
        var byteCount = 0
        if let bytes = quintet_http_body(request, &byteCount) {
            asked.body = Array(UnsafeRawBufferPointer(start: bytes, count: byteCount))
        }
        let response = context.answer(asked)
        if let stream = response.stream {
            precondition(context.settings.hasThreads, "a stream waits, which a server with one thread must not")
            let pending = Unmanaged.passRetained(Pending(stream)).toOpaque()
            quintet_http_stream(request, pending, read, release, context.settings.streamTimeoutSeconds)
        } else {
            response.body.withUnsafeBytes { quintet_http_answer(request, $0.baseAddress, $0.count) }
        }
        let always = [
            ("Content-Type", response.contentType), ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        for (name, value) in always + response.headers { quintet_http_add(request, name, value) }
        return response.status
    }

    /// Of a stream, what its listener has not taken yet.
    private final class Pending {
        let stream: any HTTPResponse.Stream
        var bytes: ArraySlice<UInt8> = []
        init(_ stream: any HTTPResponse.Stream) { self.stream = stream }
    }

    private static let read: quintet_http_reader = { stream, bytes, byteCount in
        let pending = Unmanaged<Pending>.fromOpaque(stream!).takeUnretainedValue()
        if pending.bytes.isEmpty {
            guard let next = pending.stream.next() else { return -1 }
            pending.bytes = next[...]
        }
        let count = min(byteCount, pending.bytes.count)
        pending.bytes.prefix(count).withUnsafeBytes { bytes!.update(from: $0.baseAddress!.assumingMemoryBound(
            to: CChar.self), count: count) }
        pending.bytes = pending.bytes.dropFirst(count)
        return count
    }

    private static let release: quintet_http_releaser = { stream in
        Unmanaged<Pending>.fromOpaque(stream!).takeRetainedValue().stream.end()
    }
}
