// swift-tools-version: 6.3
import PackageDescription

/// Settings of every Swift target; docs/architecture.md says why.
let swiftSettings: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        // Dynamic exclusivity checks cost a fifth of the byte path's instructions; debug builds keep them.
        .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
    ] + (Context.environment["WARNINGS_AS_ERRORS"] == nil ? [] : [.treatAllWarnings(as: .error)])

/// One library target of the product; `floor` is documentation that the import check enforces.
func floor(_ number: Int, _ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

/// The tests of one target, with what the tests themselves import besides.
func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies,
        path: "Tests/\(name)Tests", swiftSettings: swiftSettings)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let metricsCore = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let collections = Target.Dependency.product(name: "DequeModule", package: "swift-collections")

let package = Package(
    name: "opencode-router",
    products: [.executable(name: "opencode-router", targets: ["opencode-router"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(
            url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["CommandLineArguments"]),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        // Its SubprocessFoundation trait would link full Foundation.
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    ],
    targets: [
        // C: the few calls Swift cannot see, and system libraries.
        .target(name: "CLinuxIO", cSettings: [.define("_GNU_SOURCE")]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CBrotli", pkgConfig: "libbrotlienc libbrotlidec", providers: [.apt(["libbrotli-dev"])]),
        .target(name: "COpenSSL", dependencies: ["COpenSSLSystem"]),
        .systemLibrary(name: "COpenSSLSystem", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),

        // Floor 0: values.
        floor(0, "HTTPWire"),
        floor(0, "Sessions"),
        floor(0, "Telemetry"),
        // Floor 1
        floor(1, "LinuxIO", ["CLinuxIO"]),
        floor(1, "Routing", ["HTTPWire"]),
        floor(1, "Identity", ["HTTPWire", "COpenSSL"]),
        floor(1, "TLS", ["LinuxIO", "COpenSSL"]),
        // Floor 2
        floor(2, "Assets", ["LinuxIO", "HTTPWire", "CZlib", "CBrotli"]),
        floor(2, "HTTPClient", ["LinuxIO", "TLS", "HTTPWire"]),
        floor(2, "GitRemote", ["HTTPClient"]),
        floor(2, "KubernetesAPI", ["HTTPClient", "TLS", "CYAML"]),
        // Floor 3
        floor(3, "RouterAPI", ["Sessions", "Identity", httpTypes, logging]),
        floor(3, "LocalSessions", ["Sessions", "HTTPClient", subprocess, logging]),
        floor(3, "KubernetesSessions", ["Sessions", "KubernetesAPI", "HTTPClient", "Identity", logging]),
        floor(3, "MockSessions", ["Sessions"]),
        floor(3, "CloudflareOperator", ["Sessions", "KubernetesAPI", "HTTPClient", logging]),
        floor(3, "AgentClient", ["Sessions", "HTTPClient"]),
        floor(3, "Archive", ["Sessions", "Identity", "LinuxIO"]),
        floor(3, "Observability", ["Telemetry", logging, metrics, metricsCore]),
        // Floor 4
        floor(4, "DataPlane", ["LinuxIO", "TLS", "HTTPWire", "Routing", "Identity", "Assets", "Telemetry"]),
        floor(4, "DemoAgent", ["LinuxIO", "HTTPWire", "Identity"]),
        // Floor 5
        .executableTarget(
            name: "opencode-router",
            dependencies: [
                "HTTPWire", "Sessions", "Telemetry", "LinuxIO", "Routing", "Identity", "TLS", "Assets", "HTTPClient",
                "GitRemote", "RouterAPI", "LocalSessions", "KubernetesAPI", "KubernetesSessions", "CloudflareOperator",
                "AgentClient", "Archive", "MockSessions", "Observability", "DataPlane", "DemoAgent",
                argumentParser, configuration, serviceLifecycle, unixSignals, logging, metrics, httpTypes,
            ],
            swiftSettings: swiftSettings),

        tests(of: "HTTPWire"),
        // Doubles that the tests of more than one target use.
        .target(
            name: "SessionDoubles", dependencies: ["Sessions"], path: "Tests/Support/SessionDoubles",
            swiftSettings: swiftSettings),
        tests(of: "Sessions", ["SessionDoubles"]),
        tests(of: "Telemetry"),
        tests(of: "LinuxIO"),
        tests(of: "Routing", ["HTTPWire", "Identity"]),
        tests(of: "Identity", ["HTTPWire"]),
        tests(of: "TLS", ["LinuxIO"]),
        tests(of: "Assets", ["LinuxIO", "HTTPWire", "Identity", "CZlib", "CBrotli"]),
        tests(of: "HTTPClient", ["LinuxIO", "TLS", "HTTPWire"]),
        tests(of: "GitRemote", ["HTTPClient", "TLS"]),
        tests(of: "RouterAPI", ["Sessions", "SessionDoubles", "Identity", "HTTPClient", httpTypes, logging]),
        tests(of: "LocalSessions", ["Sessions", "HTTPClient", logging]),
        tests(of: "KubernetesAPI", ["HTTPClient"]),
        tests(of: "KubernetesSessions", ["Sessions", "KubernetesAPI", "HTTPClient", logging]),
        tests(of: "MockSessions", ["Sessions", "SessionDoubles"]),
        tests(of: "CloudflareOperator", ["Sessions", "KubernetesAPI", "HTTPClient"]),
        tests(of: "AgentClient", ["Sessions", "SessionDoubles", "HTTPClient", "DemoAgent", "LinuxIO"]),
        tests(of: "Observability", ["Telemetry", logging, metrics]),
        tests(of: "DataPlane", ["LinuxIO", "HTTPWire", "Routing", "Identity", "Assets", "Telemetry"]),
        tests(of: "DemoAgent", ["LinuxIO", "HTTPWire"]),
        .testTarget(
            name: "ApplicationTests", dependencies: ["opencode-router", "Sessions", "Observability", "Telemetry"],
            path: "Tests/ApplicationTests",
            swiftSettings: swiftSettings),
    ]
)

// A sanitizer's build is made of the tests it is asked for, by their targets' names, and of what they need.
if let wanted = Context.environment["ONLY_TESTS_OF"] {
    var needed: Set<String> = []
    var next = wanted.split(separator: ",").map { "\($0)Tests" }
    while let name = next.popLast() {
        guard needed.insert(name).inserted else { continue }
        let target = package.targets.first { $0.name == name }
        for case .byNameItem(let dependency, _) in target?.dependencies ?? [] { next.append(dependency) }
    }
    package.products = []
    package.targets.removeAll { !needed.contains($0.name) }
}
