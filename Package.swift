// swift-tools-version:6.0
import PackageDescription

/// Every warning in our own Swift is an error; no Swift package is used, by the design (docs/ARCHITECTURE.md).
let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .unsafeFlags(["-warnings-as-errors"])]

/// `-ffp-contract=off` keeps the same bytes on every machine: a fused multiply-add happens where the kernel says
/// so and nowhere else. `-O3` also in debug builds, where unoptimised kernels would make the tests take hours.
let kernelFlags: [CSetting] = [
    .unsafeFlags(["-O3", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Wextra", "-Werror"])
]

/// Of CKernels, by what they compute.
let kernelFolders = [
    "Activation", "Convolution", "Dense", "Loss", "Normalisation", "Peak", "Pooling", "Random", "Upsampling", "Variants",
]

/// What the program says that it was built from; the Makefile knows.
let commit = Context.environment["QUINTET_COMMIT"] ?? ""

/// One row of the import table: a target of ours and the targets it may import.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

let package = Package(
    name: "quintet",
    products: [.executable(name: "quintet", targets: ["quintet"])],
    targets: [
        .target(name: "CBuild", cSettings: [.define("QUINTET_COMMIT", to: "\"\(commit)\"")]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(name: "CMicroHTTPD", linkerSettings: [.linkedLibrary("dl")]),
        .target(
            name: "CNIfTI",
            linkerSettings: [.linkedLibrary("niftiio"), .linkedLibrary("znz"), .linkedLibrary("z"), .linkedLibrary("m")]),
        .target(
            name: "CKernels", exclude: ["README.md"],
            cSettings: kernelFlags + kernelFolders.map { .headerSearchPath($0) },
            linkerSettings: [.linkedLibrary("pthread")]),

        module("Numerics", ["CKernels"]),
        module("Protocol"),
        module("Platform", ["COpenSSL", "CMicroHTTPD"]),
        module("Imaging", ["Numerics", "CKernels", "CNIfTI", "CZlib"]),
        module("ModelCore", ["Numerics", "CKernels"]),
        module("SynthData", ["Imaging", "Numerics", "CKernels"]),
        module("VotingAggregator", ["Imaging", "Numerics", "CKernels"]),
        module("Recipes", ["Imaging", "SynthData", "ModelCore", "VotingAggregator", "Numerics"]),
        module("Worker", ["Protocol", "Platform", "Recipes", "Numerics"]),
        module("Coordinator", ["Protocol", "Platform", "VotingAggregator", "CSQLite"]),
        .executableTarget(
            name: "quintet",
            dependencies: [
                "Protocol", "Platform", "Imaging", "ModelCore", "SynthData", "VotingAggregator", "Recipes", "Worker",
                "Coordinator", "Numerics", "CBuild",
            ],
            swiftSettings: strict),

        // Counts the allocations of the test program.
        .target(name: "AllocationCount", path: "Tests/AllocationCount", cSettings: kernelFlags),
        // What tests wait with, where servers listen, and what a machine cannot test.
        .target(
            name: "TestSupport", dependencies: ["Platform", "Protocol"], path: "Tests/TestSupport", swiftSettings: strict),
        tests("NumericsTests", ["Numerics", "CKernels"]),
        tests("ProtocolTests", ["Protocol", "TestSupport"], resources: [.copy("Corpus")]),
        tests("PlatformTests", ["Platform", "TestSupport"]),
        tests("ImagingTests", ["Imaging", "Numerics", "TestSupport"], resources: [.copy("Goldens"), .copy("Corpus")]),
        tests(
            "ModelCoreTests", ["ModelCore", "Numerics", "CKernels", "AllocationCount", "TestSupport"],
            resources: [.copy("Goldens"), .copy("Corpus")]),
        tests("SynthDataTests", ["SynthData", "Imaging", "Numerics"], resources: [.copy("Goldens")]),
        tests(
            "VotingAggregatorTests", ["VotingAggregator", "Imaging", "Numerics"],
            resources: [.copy("Goldens"), .copy("Corpus")]),
        tests(
            "RecipesTests",
            [
                "Recipes", "Imaging", "SynthData", "ModelCore", "VotingAggregator", "Numerics", "Platform",
                "TestSupport",
            ], resources: [.copy("Goldens")]),
        // The program beside an independent one: goldens of Tests/Judge.
        tests(
            "JudgeTests",
            [
                "Recipes", "Imaging", "SynthData", "ModelCore", "VotingAggregator", "Numerics", "CKernels",
                "TestSupport",
            ]),
        tests(
            "WorkerTests",
            ["Worker", "Coordinator", "Protocol", "Platform", "Recipes", "Numerics", "TestSupport"],
            resources: [.copy("Transcripts")]),
        tests(
            "CoordinatorTests",
            [
                "quintet", "Coordinator", "Worker", "Protocol", "Platform", "VotingAggregator", "Recipes", "Imaging",
                "Numerics", "TestSupport",
            ],
            resources: [.copy("Transcripts")]),
        tests("SimulationTests", ["Coordinator", "Worker", "Platform", "Protocol", "TestSupport"]),
        tests(
            "RoadTests",
            [
                "quintet", "Recipes", "Imaging", "VotingAggregator", "Numerics", "Platform", "Protocol", "Coordinator",
                "ModelCore", "TestSupport",
            ]),
        // The program's own parts that need no run of it.
        tests("quintetTests", ["quintet", "Recipes", "Platform", "TestSupport"]),
        tests("TidyTests", []),
    ]
)
