import Platform
import Testing

@Suite struct SHA256Tests {
    @Test func digestsAreThoseOfTheStandard() {
        // FIPS 180-4 examples.
        #expect(
            Hexadecimal.text(SHA256.digest(of: Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            Hexadecimal.text(SHA256.digest(of: []))
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func piecesAndCopiesGiveTheDigestOfTheWhole() throws {
        let bytes = testBytes(700_000, seed: 1)
        var hash = SHA256()
        hash.update(Array(bytes[..<1000]))
        var copy = hash
        copy.update([1, 2, 3])
        hash.update(Array(bytes[1000...]))
        #expect(hash.digest() == SHA256.digest(of: bytes))
        #expect(hash.digest() == hash.digest())
        #expect(copy.digest() == SHA256.digest(of: bytes[..<1000] + [1, 2, 3]))
        let folder = try TemporaryFolder()
        try AtomicFile.write(bytes, to: folder.file("a"))
        #expect(try SHA256.digest(ofFile: folder.file("a")) == hash.digest())
    }

    @Test func hexadecimalGoesBothWays() {
        #expect(Hexadecimal.bytes("00ff1a") == [0, 255, 26])
        #expect(Hexadecimal.bytes("00f") == nil)
        #expect(Hexadecimal.bytes("0G") == nil)
        #expect(Hexadecimal.bytes("AB") == nil)
    }
}
