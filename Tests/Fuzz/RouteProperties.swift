// What holds for every host name, whatever its bytes; tried by the fuzz target and, through a symbolic link, by unit tests.
#if canImport(Routing)
    @testable import Routing
#endif

/// A property of routing that an input broke.
struct RouteViolation: Error, CustomStringConvertible {
    var description: String
}

/// The table is asked where the host leads; the same is worked out slowly, on whole arrays, and both must agree.
///
/// Every well-formed session host leads to a session here, so anything that is too lax shows.
func checkRoute(_ input: UnsafeRawBufferPointer, _ table: RouteTable) throws {
    for entrance in [Entrance.main, .attach, .combined, .pod] {
        let route = table.route(host: input, path: input, entrance: entrance)
        let found: [UInt64]?
        switch route {
        case .session: found = [0]
        case .port(_, let port): found = [UInt64(port)]
        case .attach(_, let session): found = session == nil ? nil : [1]
        case .editor: found = [2]
        case .pod: found = [3]
        case .api, .site, .unknownSession, .misdirected: found = nil
        }
        guard found == slowRoute(Array(input), entrance) else {
            throw RouteViolation(description: "\(Array(input)) leads to \(route) on \(entrance)")
        }
    }
}

/// `[0]` for a session, `[1]` attach, `[2]` editor, `[3]` the pods' routes, the port for a port; nil for every other host.
private func slowRoute(_ input: [UInt8], _ entrance: Entrance) -> [UInt64]? {
    if entrance == .pod { return [3] }
    var host = input.map { (65...90).contains($0) ? $0 + 32 : $0 }
    if host.last == 46 { host.removeLast() }
    let labels = host.split(separator: 46, maxSplits: 1, omittingEmptySubsequences: false)
    guard labels.count == 2, Array(labels[1]) == Array("example.com".utf8), labels[0].count <= 63 else { return nil }
    var label = Array(labels[0])
    guard label.suffix(3) == ArraySlice("-oc".utf8) else { return nil }
    label.removeLast(3)
    guard label.count >= 12, label.suffix(12).allSatisfy({ Array("0123456789abcdef".utf8).contains($0) }) else {
        return nil
    }
    label.removeLast(12)
    let prefix = String(decoding: label, as: UTF8.self)
    if prefix == "attach-" { return entrance == .main ? nil : [1] }
    guard entrance != .attach else { return nil }
    if prefix.isEmpty { return [0] }
    if prefix == "editor-" { return [2] }
    guard prefix.hasSuffix("-"), let port = UInt64(prefix.dropLast()), "\(port)-" == prefix else { return nil }
    return (1024...65535).contains(port) && ![4096, 7681, 9222].contains(port) ? [port] : nil
}

/// The table that the properties are about.
func routeTableForProperties() throws -> RouteTable {
    let settings = try RoutingSettings(routerDomain: "example.com", routeSuffix: "-oc", editorPrefix: "editor-")
    let everybody = SessionRoute(id: 0, owner: [], condition: .asleep, ownedByAnyone: true)
    return RouteTable(settings: settings, sessions: [], generation: 1, fallback: everybody)
}
