import Testing

@testable import CloudflareOperator

@Suite("JSON as it was written")
struct RawJSONTests {
    private func raw(_ text: String) throws -> RawJSON { try RawJSON(Array(text.utf8)) }

    @Test(
        "Text that is JSON is kept as it is",
        arguments: [
            "1.0", "-0", "1e+30", "12345678901234567890", #""\u00e9\/""#, "[ 1 ,2]", #"{"b":1, "a" : {"b":[]}}"#,
            "null",
        ])
    func kept(text: String) throws {
        #expect(try raw(" \(text)\n").text == text)
    }

    @Test(
        "Text that is no JSON is refused",
        arguments: [
            "", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", ".5", "+1", "tru", "\"", "\"\\x\"", "\"\\u12g4\"",
            "\"\n\"", "1 2", "{'a':1}", "{a:1}", "[1 2]", "nul", "-", "1e", "\u{FEFF}1",
        ])
    func refused(text: String) {
        #expect(throws: RawJSON.Problem.self) { try raw(text) }
    }

    @Test("Every text cut short is refused")
    func cuts() throws {
        let text = Array(#"{"a":[1.5e3,"\u00e9",{"b":null}],"c":true}"#.utf8)
        for end in 0..<text.count {
            #expect(throws: RawJSON.Problem.self) { try RawJSON(Array(text[..<end])) }
        }
    }

    @Test("Depth is bounded")
    func depth() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: RawJSON.Problem.tooDeep) { try raw(deep) }
    }

    @Test("Members and elements are found in their order, with their text")
    func parts() throws {
        let value = try raw(#"{ "b" : 1.0 , "a":[ "x\"]" , {"}":2} ] , "\u0063":"d\/" }"#)
        #expect(value.members?.map(\.name) == ["b", "a", "c"])
        #expect(value["b"]?.text == "1.0" && value["c"]?.string == "d/")
        #expect(value["a"]?.elements?.map(\.text) == [#""x\"]""#, #"{"}":2}"#])
        #expect(try raw("{}").members?.isEmpty == true && raw("[]").elements?.isEmpty == true)
        #expect(try raw("[1]").members == nil && raw("1").elements == nil)
        // Two readers could take different ones.
        #expect(try raw(#"{"a":1,"a":2}"#)["a"] == nil)
    }
}

@Suite("The tunnel's document")
struct TunnelDocumentTests {
    private static let one = "a1b2c3d4e5f6-oc.example.com"
    private static let two = "0000000000aa-oc.example.com"
    private static let wiki = #"{"service":"http://wiki",  "hostname":"wiki.example.com","originRequest":{"x":1.0}}"#
    private static let star = #"{"hostname":"*.example.com","service":"http://all"}"#
    private static let last = #"{"service":"http_status:404"}"#

    private static func ours(_ host: String) -> String { #"{"hostname":"\#(host)","service":"\#(Sample.service)"}"# }

    private func document(_ rules: [String], more: String = "") throws -> TunnelDocument {
        let text = #"{"version":3,"config":{"ingress":[\#(rules.joined(separator: " , "))]\#(more)}}"#
        return try TunnelDocument(result: RawJSON(Array(text.utf8)))
    }

    private func intent(_ wanted: Set<String>) -> TunnelIntent {
        TunnelIntent(wanted: wanted, service: Sample.service) { Sample.hosts.host(named: $0) != nil }
    }

    /// The rules that a body has, as text.
    private func rules(_ edit: TunnelEdit?) throws -> [String]? {
        try edit.map { try RawJSON(Array($0.body.utf8))["config"]?["ingress"]?.elements?.map(\.text) ?? [] }
    }

    @Test("Ours stand in front of what would take their hosts, and the catch-all stays last")
    func added() throws {
        let edit = try document([Self.wiki, Self.star, Self.last]).edit(toward: intent([Self.one, Self.two]))
        #expect(edit?.added == [Self.two, Self.one])
        #expect(
            try rules(edit) == [Self.wiki, Self.ours(Self.two), Self.ours(Self.one), Self.star, Self.last])
    }

    @Test("Rules of others keep text and order; ours that are not wanted go")
    func removed() throws {
        let edit = try document([Self.ours(Self.one), Self.wiki, Self.ours(Self.two), Self.last])
            .edit(toward: intent([Self.two]))
        #expect(edit?.removed == [Self.one])
        #expect(try rules(edit) == [Self.wiki, Self.ours(Self.two), Self.last])
    }

    @Test("Nothing to do is no write, wherever ours stand among rules that do not take their hosts")
    func unchanged() throws {
        let rules = [Self.ours(Self.one), Self.wiki, Self.ours(Self.two), Self.star, Self.last]
        #expect(try document(rules).edit(toward: intent([Self.one, Self.two])) == nil)
    }

    @Test("Ours behind a rule that takes their hosts are moved")
    func moved() throws {
        let edit = try document([Self.star, Self.ours(Self.one), Self.last]).edit(toward: intent([Self.one]))
        #expect(try rules(edit) == [Self.ours(Self.one), Self.star, Self.last])
        #expect(edit?.added == [] && edit?.removed == [])
    }

    @Test("What somebody added to a rule of ours stays")
    func embellished() throws {
        let rule = #"{"id":"9","hostname":"\#(Self.one)","service":"\#(Sample.service)","originRequest":{"a":1.0}}"#
        let edit = try document([rule, Self.last]).edit(toward: intent([Self.one, Self.two]))
        #expect(try rules(edit) == [rule, Self.ours(Self.two), Self.last])
    }

    @Test("A host that a rule of somebody else names is left to them")
    func conflict() throws {
        let foreign = #"{"hostname":"\#(Self.one)","service":"http://somebody"}"#
        let document = try document([foreign, Self.last])
        #expect(document.edit(toward: intent([Self.one])) == nil)
        #expect(document.conflicts(with: intent([Self.one])) == [Self.one])
        #expect(document.edit(toward: intent([])) == nil)
    }

    @Test("A rule for a path, or to another service, is not ours")
    func foreign() throws {
        let rules = [
            #"{"hostname":"\#(Self.one)","path":"/x","service":"\#(Sample.service)"}"#,
            #"{"hostname":"\#(Self.two)","service":"http://else"}"#,
            #"{"hostname":"www.example.com","service":"\#(Sample.service)"}"#,
            #"{"hostname":"*.example.com","service":"\#(Sample.service)"}"#, Self.last,
        ]
        #expect(try document(rules).edit(toward: intent([])) == nil)
    }

    @Test("Two rules of ours for one host become one")
    func twice() throws {
        let edit = try document([Self.ours(Self.one), Self.ours(Self.one), Self.last]).edit(toward: intent([Self.one]))
        #expect(try rules(edit) == [Self.ours(Self.one), Self.last])
    }

    @Test("Other members keep text and order")
    func members() throws {
        let document = try document([Self.last], more: #", "warp-routing" : {"enabled":true}, "z":1.50"#)
        let body = document.edit(toward: intent([Self.one]))?.body
        #expect(body?.hasSuffix(#"],"warp-routing":{"enabled":true},"z":1.50}}"#) == true)
        #expect(body?.hasPrefix(#"{"config":{"ingress":["#) == true)
    }

    @Test(
        "A tunnel without rules gets a catch-all",
        arguments: [#"{"config":null}"#, #"{"config":{"ingress":null}}"#, "{}"])
    func empty(text: String) throws {
        let document = try TunnelDocument(result: RawJSON(Array(text.utf8)))
        #expect(document.edit(toward: intent([])) == nil)
        #expect(try rules(document.edit(toward: intent([Self.one]))) == [Self.ours(Self.one), Self.last])
    }

    @Test(
        "A document that is not understood is not written",
        arguments: [
            #"{"config":7}"#, #"{"config":{"ingress":{}}}"#, #"{"config":{"ingress":[1]}}"#, "[]",
            #"{"config":{},"config":{}}"#, #"{"config":{"ingress":[],"ingress":[]}}"#,
        ])
    func unexpected(text: String) throws {
        let result = try RawJSON(Array(text.utf8))
        #expect(throws: TunnelDocument.Problem.self) { try TunnelDocument(result: result) }
    }

    @Test("The wildcard's rule stands behind every named one")
    func wildcard() throws {
        let edit = try document([Self.wiki, Self.ours(Self.one), Self.last]).edit(toward: intent(["*.example.com"]))
        #expect(try rules(edit) == [Self.wiki, Self.ours("*.example.com"), Self.last])
    }
}
