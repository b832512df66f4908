internal import DataPlane
internal import FoundationEssentials
internal import Identity

/// The documents shown on a session's host while there is no session to show.
enum SessionPages {
    /// Fills in where the picker is, and allows each page its own style sheet by digest and nothing else.
    static func make(starting: [UInt8], failed: [UInt8], hosts: Settings.Hosts) -> DataPlaneSettings.Pages {
        let picker = "\(hosts.scheme)://\(hosts.routerHosts?.first ?? hosts.authority(boundPort: 0))"
        let pages = [starting, failed].map { bytes in
            String(decoding: bytes, as: UTF8.self).replacing("{{picker}}", with: picker)
        }
        let digests = Set(
            pages.flatMap(styles(in:)).map { style in
                "'sha256-\(Data(Digest.sha256(Array(style.utf8))).base64EncodedString())'"
            })
        let policy =
            "default-src 'none'; style-src \(digests.sorted().joined(separator: " ")); base-uri 'none'; "
            + "form-action 'none'; frame-ancestors 'self'"
        return .init(starting: Array(pages[0].utf8), failed: Array(pages[1].utf8), securityPolicy: policy)
    }

    private static func styles(in page: String) -> [Substring] {
        var styles: [Substring] = []
        var rest = page[...]
        while let start = rest.firstRange(of: "<style>"), let end = rest[start.upperBound...].firstRange(of: "</style>")
        {
            styles.append(rest[start.upperBound..<end.lowerBound])
            rest = rest[end.upperBound...]
        }
        return styles
    }
}
