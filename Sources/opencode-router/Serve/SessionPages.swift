internal import DataPlane
internal import FoundationEssentials
internal import Identity

/// The documents shown on a session's host while there is no session to show.
enum SessionPages {
    /// Fills in where the picker is, and allows each page its own style sheet and script by digest; the script may ask
    /// its own host whether the session is there, and that is all.
    ///
    /// - Parameter port: the main listener's, which addresses carry where the domain follows it.
    static func make(
        starting: [UInt8], failed: [UInt8], hosts: Settings.Hosts, port: UInt16
    ) -> DataPlaneSettings.Pages {
        var authority = hosts.authority(boundPort: port)
        if let name = hosts.routerHosts?.first {
            let port = hosts.followsListener ? port : hosts.domainPort
            authority = port.map { "\(name):\($0)" } ?? name
        }
        let picker = "\(hosts.scheme)://\(authority)"
        let pages = [starting, failed].map { bytes in
            String(decoding: bytes, as: UTF8.self).replacing("{{picker}}", with: picker)
        }
        let policy =
            "default-src 'none'; style-src \(digests(of: "style", in: pages)); "
            + "script-src \(digests(of: "script", in: pages)); connect-src 'self'; base-uri 'none'; "
            + "form-action 'none'; frame-ancestors 'self'"
        return .init(starting: Array(pages[0].utf8), failed: Array(pages[1].utf8), securityPolicy: policy)
    }

    /// The elements' contents as sources of a policy; `'none'` if there are none.
    private static func digests(of element: String, in pages: [String]) -> String {
        let sources = Set(
            pages.flatMap { contents(of: element, in: $0) }.map { text in
                "'sha256-\(Data(Digest.sha256(Array(text.utf8))).base64EncodedString())'"
            })
        return sources.isEmpty ? "'none'" : sources.sorted().joined(separator: " ")
    }

    private static func contents(of element: String, in page: String) -> [Substring] {
        var found: [Substring] = []
        var rest = page[...]
        while let start = rest.firstRange(of: "<\(element)>"),
            let end = rest[start.upperBound...].firstRange(of: "</\(element)>")
        {
            found.append(rest[start.upperBound..<end.lowerBound])
            rest = rest[end.upperBound...]
        }
        return found
    }
}
