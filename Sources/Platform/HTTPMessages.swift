/// What somebody asks a `HTTPServer`. All of it is a peer's word.
public struct HTTPRequest: Hashable, Sendable {
    /// "GET".
    public var method: String
    /// "/metrics", without what follows a question mark.
    public var path: String
    /// Of those that `HTTPServer.Settings` asks for, by their names there; absent where they were not sent.
    public var headers: [String: String] = [:]
    /// What follows a question mark, of those names that the settings ask for.
    public var query: [String: String] = [:]
    public var body: [UInt8] = []

    public init(method: String, path: String) {
        self.method = method
        self.path = path
    }
}

/// What it is told.
public struct HTTPResponse: Sendable {
    /// What comes piece by piece, as long as somebody listens.
    public protocol Stream: AnyObject, Sendable {
        /// The next bytes, not none; nil when nothing more comes. May wait, on the listener's own thread.
        func next() -> [UInt8]?
        /// Nobody listens any more. Once.
        func end()
    }

    /// 200, 404.
    public var status: UInt32
    public var contentType: String
    /// Beside those that every response has.
    public var headers: [(name: String, value: String)] = []
    public var body: [UInt8]
    /// In place of the body; of a server with `Settings.hasThreads` only.
    public var stream: (any Stream)?

    public init(status: UInt32, contentType: String = "text/plain; charset=utf-8", body: String) {
        (self.status, self.contentType, self.body) = (status, contentType, Array(body.utf8))
    }

    public init(status: UInt32, contentType: String, stream: any Stream) {
        (self.status, self.contentType, self.body, self.stream) = (status, contentType, [], stream)
    }
}

/// Why there are no pages.
public struct HTTPServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong and what to do.
    public var description: String
}
