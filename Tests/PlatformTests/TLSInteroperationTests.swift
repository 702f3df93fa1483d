import Glibc
import Platform
import TestSupport
import Testing

/// Against OpenSSL's own command, where it is installed: what another implementation of the other side gets to see.
@Suite(.enabled(
    if: isHere(FileSystem.exists("/usr/bin/openssl"), "the openssl command"), "needs the openssl command"))
struct TLSInteroperationTests {
    private let folder: TemporaryFolder
    private let token: ClusterToken
    private let key: String
    private var security: ConnectionSecurity { .preSharedKeys([token]) }

    init() throws {
        folder = try TemporaryFolder()
        token = try ClusterToken.generate(to: folder.file("token"))
        key = String(decoding: try FileSystem.read(folder.file("token"), offset: 0, count: 64), as: UTF8.self)
    }

    private func openssl(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess(executable: "/usr/bin/openssl", arguments: arguments, output: .file(folder.file("out")))
    }

    /// Dials us. - Returns: whether it was accepted, and why not.
    private func dial(_ options: [String]) throws -> (isAccepted: Bool, reasons: [String]) {
        let harness = try NetworkHarness()
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: security)
        let child = try openssl(["s_client", "-connect", "127.0.0.1:\(port)"] + options)
        defer {
            child.signal(SIGKILL)
            _ = child.wait()
        }
        try harness.run { !harness.accepted.isEmpty || !harness.rejected.isEmpty }
        return (!harness.accepted.isEmpty, harness.rejected)
    }

    @Test func aForeignImplementationWithTheTokenIsAccepted() throws {
        #expect(try dial(["-tls1_3", "-psk", key, "-psk_identity", token.identity]).isAccepted)
    }

    @Test func theRightNameWithAWrongKeyIsRefused() throws {
        let wrong = String(repeating: "0", count: 64)
        #expect(try !dial(["-tls1_3", "-psk", wrong, "-psk_identity", token.identity]).isAccepted)
    }

    @Test func noKeyAndOlderVersionsAreRefused() throws {
        #expect(try !dial(["-tls1_3"]).isAccepted)
        #expect(try !dial(["-tls1_2", "-psk", key, "-psk_identity", token.identity]).isAccepted)
    }

    @Test func aServerWithACertificateButWithoutTheTokenIsNotTrusted() throws {
        let certificate = folder.file("certificate.pem"), privateKey = folder.file("key.pem")
        let made = try openssl([
            "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=localhost", "-keyout", privateKey, "-out",
            certificate,
        ])
        try #require(made.wait() == .code(0))
        // A free port: listened at for a moment.
        let harness = try NetworkHarness()
        let port = try harness.loop.listen(host: "127.0.0.1", port: 0, security: .plaintext)
        harness.loop.stopListening()
        let server = try openssl([
            "s_server", "-accept", "127.0.0.1:\(port)", "-cert", certificate, "-key", privateKey, "-tls1_3", "-quiet",
        ])
        defer {
            server.signal(SIGKILL)
            _ = server.wait()
        }
        // Until it listens, nobody does.
        for _ in 0..<3_000 {
            let client = try harness.loop.connect(host: "127.0.0.1", port: port, security: security)
            try harness.run { harness.closed[client] != nil || harness.connected.contains(client) }
            try #require(!harness.connected.contains(client))
            if harness.closed[client]?.contains("nobody listens") != true {
                #expect(harness.closed[client]?.contains("does not know our token") == true)
                return
            }
            MonotonicClock.sleep(milliseconds: 20)
        }
        Issue.record("openssl s_server did not start")
    }
}
