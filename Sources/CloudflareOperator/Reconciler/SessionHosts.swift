package import Sessions

/// One host of one session.
package struct SessionHost: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// The agent itself.
        case agent
        /// `opencode attach`, by password.
        case attach
        /// The editor beside the agent.
        case editor
        /// A server that the session started.
        case port(Int)
    }

    package var session: SessionID
    package var kind: Kind

    package init(_ session: SessionID, _ kind: Kind) {
        self.session = session
        self.kind = kind
    }
}

/// How hosts of sessions are spelt below the domain, and which spellings are such hosts.
///
/// Reading is the exact inverse of writing: what is not spelt as we would spell it is not ours.
package struct SessionHosts: Hashable, Sendable {
    /// Lower case, without a port.
    package let domain: String
    /// What follows the hash.
    package let suffix: String
    /// Not empty, and no number with a hyphen.
    package let attachPrefix: String
    /// Like `attachPrefix`, and another one; nil: editors have no hosts.
    package let editorPrefix: String?

    package init(domain: String, suffix: String, attachPrefix: String, editorPrefix: String? = nil) {
        self.domain = domain
        self.suffix = suffix
        self.attachPrefix = attachPrefix
        self.editorPrefix = editorPrefix
    }

    /// The hosts of a session whose servers listen on these ports.
    package func all(of session: SessionID, ports: Set<Int>) -> [SessionHost] {
        let fixed: [SessionHost.Kind] = [.agent, .attach] + (editorPrefix == nil ? [] : [.editor])
        return (fixed + ports.map(SessionHost.Kind.port)).map { SessionHost(session, $0) }
    }

    /// The name that takes every host below the domain.
    package var wildcard: String { "*.\(domain)" }

    /// The first label of a host.
    package func label(of host: SessionHost) -> String {
        let own = "\(host.session)\(suffix)"
        return switch host.kind {
        case .agent: own
        case .attach: attachPrefix + own
        case .editor: (editorPrefix ?? "") + own
        case .port(let port): "\(port)-\(own)"
        }
    }

    /// The whole name of a host.
    package func name(of host: SessionHost) -> String { "\(label(of: host)).\(domain)" }

    /// The host with this name; nil if it is none of a session.
    package func host(named name: String) -> SessionHost? {
        guard name.hasSuffix(".\(domain)") else { return nil }
        return host(labelled: String(name.dropLast(domain.count + 1)))
    }

    /// The host whose first label this is; nil if it is none of a session.
    package func host(labelled label: String) -> SessionHost? {
        guard label.hasSuffix(suffix) else { return nil }
        let bare = label.dropLast(suffix.count)
        guard let session = SessionID(bare.suffix(12)) else { return nil }
        let prefix = bare.dropLast(12)
        let kind: SessionHost.Kind
        if prefix.isEmpty {
            kind = .agent
        } else if prefix == attachPrefix {
            kind = .attach
        } else if let editorPrefix, prefix == editorPrefix {
            kind = .editor
        } else if prefix.last == "-", let port = Int(prefix.dropLast()), (1024...65535).contains(port) {
            kind = .port(port)
        } else {
            return nil
        }
        let host = SessionHost(session, kind)
        return self.label(of: host) == label ? host : nil
    }
}
