import Glibc
import Platform
import Testing

@Suite struct ClusterTokenTests {
    @Test func aGeneratedTokenIsPrivateAndLoads() throws {
        let folder = try TemporaryFolder(), file = folder.file("token")
        let token = try ClusterToken.generate(to: file)
        #expect(try FileSystem.mode(of: file) == 0o600)
        #expect(try ClusterToken.load(file: file).identity == token.identity)
        #expect(throws: FileError(operation: "open", path: file, code: EEXIST)) { try ClusterToken.generate(to: file) }
        #expect(try ClusterToken.generate(to: folder.file("other")).identity != token.identity)
    }

    @Test func nothingThatPrintsATokenShowsItsKey() throws {
        let folder = try TemporaryFolder(), file = folder.file("token")
        let token = try ClusterToken.generate(to: file)
        let key = String(decoding: try FileSystem.read(file, offset: 0, count: 64), as: UTF8.self)
        var dumped = ""
        dump(token, to: &dumped)
        dump(ConnectionSecurity.preSharedKeys([token]), to: &dumped)
        for text in ["\(token)", String(reflecting: token), dumped, token.identity] {
            #expect(!text.contains(key))
            #expect(!text.contains("\(Hexadecimal.bytes(key)![0]), "))
        }
    }

    @Test(arguments: [mode_t(0o640), 0o604, 0o660, 0o644])
    func aTokenThatOthersMayReadIsRefusedWithTheRemedy(mode: mode_t) throws {
        let folder = try TemporaryFolder(), file = folder.file("token")
        try ClusterToken.generate(to: file)
        chmod(file, mode)
        #expect(throws: TokenError.readableByOthers(file: file, mode: mode)) { try ClusterToken.load(file: file) }
        #expect(TokenError.readableByOthers(file: file, mode: mode).description.contains("chmod 600 '\(file)'"))
    }

    @Test(arguments: ["", "abc", String(repeating: "0", count: 62), String(repeating: "g", count: 64)])
    func aFileWithoutATokenIsRefusedByName(content: String) throws {
        let folder = try TemporaryFolder(), file = folder.file("token")
        try AtomicFile.write(content, to: file, mode: 0o600)
        #expect(throws: TokenError.malformed(file: file)) { try ClusterToken.load(file: file) }
    }
}
