import Testing

@testable import Routing

@Suite("Routing settings")
struct RoutingSettingsTests {
    @Test("A port behind the domain is for URLs only")
    func publicPort() throws {
        let settings = try RoutingSettings(routerDomain: "Localhost:3000")
        #expect(settings.domain == "localhost")
        #expect(settings.publicPort == 3000)
        #expect(settings.host(ofSession: 0xabc) == "000000000abc.localhost:3000")
        #expect(settings.host(ofSession: 0xabc, port: 5173) == "5173-000000000abc.localhost:3000")
        #expect(settings.attachHost(ofSession: 0xabc) == "attach-000000000abc.localhost")
    }

    @Test("The suffix stands behind the hash")
    func suffix() throws {
        let settings = try RoutingSettings(routerDomain: "example.com.", routeSuffix: "-OC")
        #expect(settings.host(ofSession: 0xffff_ffff_ffff) == "ffffffffffff-oc.example.com")
    }

    @Test(
        "What is no domain stops the start",
        arguments: [
            ("", RoutingSettingsError.malformedDomain("")), (".", .malformedDomain(".")),
            ("a..b", .malformedDomain("a..b")), ("exa mple.com", .malformedDomain("exa mple.com")),
            ("https://example.com", .malformedPort("//example.com")), ("example.com:", .malformedPort("")),
            ("example.com:0", .malformedPort("0")), ("example.com:+1", .malformedPort("+1")),
            ("example.com:65536", .malformedPort("65536")), ("ex\u{e4}mple.com", .malformedDomain("ex\u{e4}mple.com")),
        ])
    func domain(text: String, expected: RoutingSettingsError) {
        #expect(throws: expected) { try RoutingSettings(routerDomain: text) }
    }

    @Test("Prefixes that could be a port or each other are refused")
    func prefixes() {
        #expect(throws: RoutingSettingsError.malformedPrefix("")) {
            try RoutingSettings(routerDomain: "example.com", attachPrefix: "")
        }
        #expect(throws: RoutingSettingsError.malformedPrefix("3000-")) {
            try RoutingSettings(routerDomain: "example.com", attachPrefix: "3000-")
        }
        #expect(throws: RoutingSettingsError.samePrefixTwice("x-")) {
            try RoutingSettings(routerDomain: "example.com", attachPrefix: "x-", editorPrefix: "X-")
        }
        #expect(throws: RoutingSettingsError.malformedSuffix(".oc")) {
            try RoutingSettings(routerDomain: "example.com", routeSuffix: ".oc")
        }
    }

    @Test("A picker's host that is a session's is refused")
    func sessionAsPicker() {
        #expect(throws: RoutingSettingsError.hostIsSessionPattern("abc123def456.example.com")) {
            try RoutingSettings(routerDomain: "example.com", routerHosts: ["abc123def456.example.com"])
        }
        #expect(throws: RoutingSettingsError.malformedHost("example.com:3000")) {
            try RoutingSettings(routerDomain: "example.com", routerHosts: ["example.com:3000"])
        }
    }

    @Test("Every refusal tells the value and what is accepted")
    func sentences() {
        let errors: [RoutingSettingsError] = [
            .malformedDomain("x"), .malformedPort("x"), .malformedSuffix("x"), .malformedPrefix("x"),
            .samePrefixTwice("x"), .malformedHost("x"), .hostIsSessionPattern("x"),
        ]
        for error in errors { #expect(error.description.contains("\"x\"")) }
    }
}

@Suite("Activity and targets")
struct SessionRouteTests {
    @Test("The last use only moves forward")
    func activity() {
        let cell = ActivityCell(lastUse: 10_000)
        cell.touch(at: 5000)
        #expect(cell.lastUse == 10_000)
        cell.touch(at: 20_000)
        #expect(cell.lastUse == 20_000)
        cell.openTunnel(at: 30_000)
        #expect(cell.openTunnels == 1)
        cell.closeTunnel(at: 40_000)
        #expect(cell.openTunnels == 0)
        #expect(cell.lastUse == 40_000)
    }

    @Test("Another port of a session keeps its incarnation, not its credentials")
    func atPort() {
        let target = UpstreamTarget(
            identity: 7, incarnation: "uid", address: "10.0.0.1", port: 4096, authorization: Array("Basic x".utf8))
        let other = target.atPort(3000)
        #expect(other.authorization == nil)
        #expect(other.key != target.key)
        #expect(other.key.identity == 7)
    }

    @Test("Two incarnations at one address are two pools")
    func incarnations() {
        let one = UpstreamTarget(identity: 1, incarnation: "a", address: "10.0.0.1", port: 4096)
        let two = UpstreamTarget(identity: 2, incarnation: "b", address: "10.0.0.1", port: 4096)
        #expect(one.key != two.key)
    }
}
