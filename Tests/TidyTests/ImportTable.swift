/// Who may import whom; the same table as in docs/ARCHITECTURE.md and Package.swift. Data flows one way.
enum ImportTable {
    static let system: Set<String> = ["Foundation", "Glibc", "Dispatch", "Synchronization", "Musl", "Darwin"]

    static let allowed: [String: Set<String>] = [
        "Numerics": system.union(["CKernels"]),
        "Protocol": [],
        "Platform": system.union(["COpenSSL", "CMicroHTTPD"]),
        "Imaging": system.union(["Numerics", "CKernels", "CNIfTI", "CZlib"]),
        "ModelCore": system.union(["Numerics", "CKernels"]),
        "SynthData": system.union(["Imaging", "Numerics", "CKernels"]),
        "VotingAggregator": system.union(["Imaging", "Numerics", "CKernels"]),
        "Recipes": system.union(["Imaging", "SynthData", "ModelCore", "VotingAggregator", "Numerics"]),
        "Worker": system.union(["Protocol", "Platform", "Recipes", "Numerics"]),
        "Coordinator": system.union(["Protocol", "Platform", "VotingAggregator", "CSQLite"]),
        "quintet": system.union([
            "Protocol", "Platform", "Imaging", "ModelCore", "SynthData", "VotingAggregator", "Recipes", "Worker",
            "Coordinator", "Numerics", "CBuild",
        ]),
    ]
}
