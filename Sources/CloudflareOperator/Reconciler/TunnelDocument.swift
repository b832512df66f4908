/// One ingress rule of a tunnel, with the text it was read from.
package struct TunnelRule: Hashable, Sendable {
    package let raw: RawJSON
    /// Nil or empty takes every host.
    package let hostname: String?
    package let path: String?
    package let service: String?

    package init(_ raw: RawJSON) {
        self.raw = raw
        hostname = raw["hostname"]?.string
        path = raw["path"]?.string
        service = raw["service"]?.string
    }

    /// A rule of our own.
    static func leading(_ host: String, to service: String) -> String {
        "{\"hostname\":\(RawJSON.quoted(host)),\"service\":\(RawJSON.quoted(service))}"
    }

    private var takesEveryPath: Bool { path == nil || path == "" }

    /// Whether every request for this host ends here: the first such rule wins.
    func takes(_ host: String) -> Bool {
        guard takesEveryPath else { return false }
        guard let hostname, !hostname.isEmpty, hostname != "*" else { return true }
        if hostname == host { return true }
        guard hostname.hasPrefix("*.") else { return false }
        return host.hasSuffix(hostname.dropFirst()) && host.count >= hostname.count
    }

    /// Whether it takes all hosts and paths, as the last rule must.
    var isCatchAll: Bool { takesEveryPath && ["", "*"].contains(hostname ?? "") }

    /// Whether two rules say the same as far as we read them; a server may add members.
    func says(_ other: TunnelRule) -> Bool {
        (hostname ?? "") == (other.hostname ?? "") && (path ?? "") == (other.path ?? "") && service == other.service
    }
}

/// What a tunnel's rules should say about our hosts.
package struct TunnelIntent: Sendable {
    /// Hosts that need a rule.
    package var wanted: Set<String>
    /// Where our rules lead.
    package var service: String
    /// Whether a host, if its rule leads to `service`, is ours to take away.
    package var isOurs: @Sendable (_ host: String) -> Bool

    package init(wanted: Set<String>, service: String, isOurs: @escaping @Sendable (_ host: String) -> Bool) {
        self.wanted = wanted
        self.service = service
        self.isOurs = isOurs
    }

    func owns(_ rule: TunnelRule) -> Bool {
        guard let host = rule.hostname, rule.path ?? "" == "", rule.service == service else { return false }
        return wanted.contains(host) || isOurs(host)
    }
}

/// The one configuration document of a tunnel: ingress rules that we share with others, and members that we only keep.
package struct TunnelDocument: Hashable, Sendable {
    /// Counts up with every write; nil if the server does not tell.
    package let version: Int?
    /// The configuration as it came; null if there was never one.
    package let configuration: RawJSON
    package let rules: [TunnelRule]

    /// Why a document must not be written back.
    package enum Problem: Error, Hashable, Sendable {
        case notJSON
        /// A member that we need has another shape.
        case unexpected(String)
    }

    /// Reads the `result` of the API's answer.
    package init(result: RawJSON) throws(Problem) {
        guard result.members != nil else { throw .unexpected("result") }
        version = result["version"]?.integer
        let found = result.members?.filter { $0.name == "config" } ?? []
        guard found.count <= 1 else { throw .unexpected("config") }
        guard let configuration = found.first?.value, !configuration.isNull else {
            guard let null = try? RawJSON(Array("null".utf8)) else { throw .notJSON }
            self.configuration = null
            rules = []
            return
        }
        guard let members = configuration.members else { throw .unexpected("config") }
        self.configuration = configuration
        let ingress = members.filter { $0.name == "ingress" }
        guard ingress.count <= 1 else { throw .unexpected("ingress") }
        guard let list = ingress.first?.value, !list.isNull else {
            rules = []
            return
        }
        guard let elements = list.elements, elements.allSatisfy({ $0.members != nil }) else {
            throw .unexpected("ingress")
        }
        rules = elements.map(TunnelRule.init)
    }

    /// What has to change for the rules to say what is intended; nil if they do.
    ///
    /// Rules of others keep text and order. Ours stand in one block in front of the first rule that would take their
    /// hosts, so that the catch-all stays last.
    package func edit(toward intent: TunnelIntent) -> TunnelEdit? {
        var kept: [TunnelRule] = []
        var removed: [String] = []
        var others: [TunnelRule] = []
        // How many rules of others precede each of ours.
        var places: [Int] = []
        var present: Set<String> = []
        for rule in rules {
            guard intent.owns(rule), let host = rule.hostname else {
                others.append(rule)
                continue
            }
            if intent.wanted.contains(host), present.insert(host).inserted {
                kept.append(rule)
                places.append(others.count)
            } else {
                removed.append(host)
            }
        }
        let foreign = Set(others.compactMap { $0.path ?? "" == "" ? $0.hostname : nil })
        let conflicts = intent.wanted.subtracting(present).intersection(foreign).sorted()
        let added = intent.wanted.subtracting(present).subtracting(foreign).sorted()
        let hosts = kept.compactMap(\.hostname) + added
        let place = others.firstIndex { rule in hosts.contains(where: rule.takes) } ?? others.count
        let isMisplaced = places.contains { $0 > place }
        let needsCatchAll = others.last?.isCatchAll != true
        guard !added.isEmpty || !removed.isEmpty || isMisplaced else { return nil }

        var texts = others[..<place].map(\.raw.text)
        texts += kept.map(\.raw.text)
        texts += added.map { TunnelRule.leading($0, to: intent.service) }
        texts += others[place...].map(\.raw.text)
        if needsCatchAll { texts.append("{\"service\":\"http_status:404\"}") }
        return TunnelEdit(
            added: added, removed: removed, conflicts: conflicts, body: body(ingress: texts), foreign: others)
    }

    /// Hosts that a rule of somebody else already names.
    package func conflicts(with intent: TunnelIntent) -> [String] {
        let foreign = rules.filter { !intent.owns($0) && $0.path ?? "" == "" }.compactMap(\.hostname)
        return intent.wanted.intersection(foreign).sorted()
    }

    /// The rules that are not ours.
    package func foreign(to intent: TunnelIntent) -> [TunnelRule] { rules.filter { !intent.owns($0) } }

    /// The body of a PUT: every member as it came, in its order, but for the rules.
    private func body(ingress texts: [String]) -> String {
        let list = "[\(texts.joined(separator: ","))]"
        var members: [String] = []
        var isWritten = false
        for (name, value) in configuration.members ?? [] {
            if name == "ingress" {
                isWritten = true
                members.append("\"ingress\":\(list)")
            } else {
                members.append("\(RawJSON.quoted(name)):\(value.text)")
            }
        }
        if !isWritten { members.append("\"ingress\":\(list)") }
        return "{\"config\":{\(members.joined(separator: ","))}}"
    }
}

/// One write of a tunnel's configuration.
package struct TunnelEdit: Hashable, Sendable {
    package var added: [String]
    package var removed: [String]
    /// Hosts that a rule of somebody else already names; they are left alone.
    package var conflicts: [String]
    /// The request's body.
    package var body: String
    /// The rules of others that must be there afterwards.
    package var foreign: [TunnelRule]
}
