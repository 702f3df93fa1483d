import Platform

/// What a coordinator says of where it listens.
package struct ListenNotice {
    var address: NetworkAddress
    /// What the address's host stands for on this machine.
    var standsFor: [HostAddress]
    /// What others may reach this machine by.
    var machine: [HostAddress]
    var hasToken: Bool

    package init(address: NetworkAddress, standsFor: [HostAddress], machine: [HostAddress], hasToken: Bool) {
        self.address = address
        self.standsFor = standsFor
        self.machine = machine
        self.hasToken = hasToken
    }

    private var isLocal: Bool { address.host != "*" && standsFor.allSatisfy(\.isLoopback) }

    /// Where others find it.
    private var hosts: [String] {
        if isLocal { return [address.host] }
        if address.host == "*" { return machine.isEmpty ? ["HOST"] : machine.map(\.text) }
        return [address.host]
    }

    package var text: String {
        let places = hosts.map { "\(NetworkAddress(host: $0, port: address.port))" }
        let others = places.count > 1 ? " (also \(places.dropFirst().joined(separator: ", ")))" : ""
        return "listening at \(address); on \(isLocal ? "this" : "every") machine: quintet worker --coordinator "
            + places[0] + (hasToken ? " --token-file FILE" : "") + others
    }

    /// For who gives a name and may believe that other machines reach it: Debian's /etc/hosts has the machine's own
    /// name stand for 127.0.1.1.
    package var warning: String? {
        let spelledOut = ["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"]
        guard isLocal, !spelledOut.contains(address.host), !standsFor.contains(where: { $0.text == address.host })
        else { return nil }
        let found = standsFor.map(\.text).joined(separator: ", ")
        let usable = machine.map { "\(NetworkAddress(host: $0.text, port: address.port))" }
        return "\(address.host) stands for \(found) on this machine (/etc/hosts), so no other machine reaches this "
            + "coordinator; listen at '*:\(address.port)'"
            + (usable.isEmpty ? "" : " or at \(usable.joined(separator: ", "))")
    }
}
