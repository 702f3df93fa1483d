import Protocol
import Testing

@Suite struct VersionNegotiationTests {
    private func choose(
        _ ourMin: UInt16, _ ourMax: UInt16, _ theirMin: UInt16, _ theirMax: UInt16
    ) -> VersionNegotiation.Outcome {
        VersionNegotiation.choose(
            ourMin: ourMin, ourMax: ourMax, ourBuild: "quintet 2.0", theirMin: theirMin, theirMax: theirMax,
            theirBuild: "quintet 1.0")
    }

    @Test func theHighestCommonVersionIsChosen() {
        #expect(choose(1, 1, 1, 1) == .agreed(1))
        #expect(choose(1, 3, 2, 5) == .agreed(3))
        #expect(choose(2, 5, 1, 3) == .agreed(3))
        #expect(choose(0, .max, 7, 7) == .agreed(7))
    }

    @Test func withoutACommonVersionTheOlderSideIsNamed() {
        guard case .refused(let refusal) = choose(2, 3, 1, 1) else { Issue.record("agreed"); return }
        #expect(refusal.code == .version)
        #expect(refusal.message == "this program (quintet 1.0) speaks protocol 1, the coordinator (quintet 2.0) "
            + "protocol 2 to 3: this program is older, update it")
        guard case .refused(let other) = choose(1, 1, 2, 3) else { Issue.record("agreed"); return }
        #expect(other.message == "this program (quintet 1.0) speaks protocol 2 to 3, the coordinator (quintet 2.0) "
            + "protocol 1: the program there is older, update it")
        #expect(VersionNegotiation.explanation(of: other) == other.message)
    }

    /// Word for word what version 1 answers.
    @Test func anOlderCoordinatorsRefusalIsToldFromThisSide() {
        let old = Refusal(
            code: .version,
            message: "no common protocol version: 0.1.0 speaks 1, 0.1.0 speaks 2; update 0.1.0, the older one")
        #expect(VersionNegotiation.explanation(of: old)
            == "this program speaks protocol 4, the coordinator protocol 1: the program there is older, update it")
        let other = Refusal(code: .version, message: "no")
        #expect(VersionNegotiation.explanation(of: other)
            == "this program speaks protocol 4, which the coordinator does not: no")
    }

    @Test func anEmptyRangeIsMalformed() {
        guard case .refused(let refusal) = choose(1, 3, 3, 1) else { Issue.record("agreed"); return }
        #expect(refusal.code == .malformed)
    }

    /// Another version's `Hello` has other fields; what it says about versions must still be readable, so that the
    /// refusal can name it.
    @Test(arguments: [(1, 3), (5, 6)] as [(UInt8, UInt8)])
    func theHelloOfAnotherVersionIsReadAsFarAsTheVersions(_ versions: (UInt8, UInt8)) throws {
        let payload: [UInt8] = [versions.0, 0, versions.1, 0, 3] + Array("2.0".utf8) + [99, 98, 97]
        let decoded = try MessageCoding.decode(Frame(type: MessageType.hello.rawValue, requestID: 1, payload: payload))
        guard case .hello(let hello) = decoded.message else { Issue.record("no hello"); return }
        #expect(hello.versionMin == versions.0 && hello.versionMax == versions.1 && hello.build == "2.0")
        let outcome = VersionNegotiation.choose(
            ourBuild: "ours", theirMin: hello.versionMin, theirMax: hello.versionMax, theirBuild: hello.build)
        guard case .refused(let refusal) = outcome else { Issue.record("agreed"); return }
        #expect(refusal.code == .version && refusal.message.contains("this program (2.0) speaks protocol"))
        let older = versions.0 == 1 ? "this program is older" : "the program there is older"
        #expect(refusal.message.contains(older))
    }
}
