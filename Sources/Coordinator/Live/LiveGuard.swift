import Platform

/// Who may see and do what at the live page, by a request's headers.
struct LiveGuard: Sendable {
    /// As the page's address was given.
    let address: NetworkAddress
    /// Over TLS a browser has seen that it talks with the right machine.
    let isEncrypted: Bool
    /// Where it listens; known once it does.
    let port: UInt16

    /// Headers that are looked at.
    static let headers = ["Host", "Origin", "Cookie", "Quintet-Page", "Sec-Fetch-Site"]

    /// Whether the page was asked for by one of its own names. A foreign one that suddenly stands for this machine (DNS
    /// rebinding) would make another site's script the page's own. The port may be another one: `ssh -L`.
    func isOurs(host: String?) -> Bool {
        guard let host else { return false }
        if isEncrypted { return true }
        guard let asked = try? NetworkAddress(parsing: host, defaultPort: 80) else { return false }
        let name = asked.host.lowercased(), parts = name.split(separator: ".", omittingEmptySubsequences: false)
        let isLoopback = parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
        return isLoopback || ["localhost", "::1", address.host.lowercased()].contains(name)
    }

    /// Whether a request to change something comes from the page itself. Another site's page can send neither this
    /// header, unless we said that it may, nor our origin.
    func isFromThePage(_ request: HTTPRequest) -> Bool {
        guard request.headers["Quintet-Page"] == "1", let host = request.headers["Host"] else { return false }
        if let site = request.headers["Sec-Fetch-Site"], site != "same-origin" { return false }
        guard let origin = request.headers["Origin"] else { return true }
        return origin == (isEncrypted ? "https://" : "http://") + host
    }

    /// Cookies are a machine's, not a port's: two coordinators of one machine have two.
    var cookieName: String { (isEncrypted ? "__Host-" : "") + "quintet-\(port)" }

    /// Nobody's script reads it, no other site sends it, and it ends with the browser.
    func cookie(_ session: String) -> String {
        "\(cookieName)=\(session); Path=/; HttpOnly; SameSite=Strict" + (isEncrypted ? "; Secure" : "")
    }

    /// For logging out.
    var endedCookie: String { cookie("") + "; Max-Age=0" }

    func session(_ request: HTTPRequest) -> String? {
        let cookies = (request.headers["Cookie"] ?? "").split(separator: ";").map { $0.drop { $0 == " " } }
        return cookies.first { $0.hasPrefix(cookieName + "=") }.map { String($0.dropFirst(cookieName.count + 1)) }
    }
}
