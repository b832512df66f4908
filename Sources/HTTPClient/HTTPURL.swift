/// The two schemes an outbound request may have.
package enum HTTPScheme: String, Hashable, Sendable {
    case http, https

    /// The port that a URL without one means.
    package var defaultPort: UInt16 { self == .http ? 80 : 443 }
}

/// The host of a URL: a name in lower case, or an address that was spelt as one.
package enum HTTPHost: Hashable, Sendable, CustomStringConvertible {
    case name(String)
    case address(IPAddress)

    /// As it stands in a URL and in a Host field: IPv6 in brackets.
    package var description: String {
        switch self {
        case .name(let name): name
        case .address(let address):
            if case .v6 = address { "[\(address)]" } else { "\(address)" }
        }
    }
}

/// Scheme, host and port: what credentials and connections belong to (RFC 6454 §4).
package struct HTTPOrigin: Hashable, Sendable, CustomStringConvertible {
    package let scheme: HTTPScheme
    package let host: HTTPHost
    package let port: UInt16

    package init(scheme: HTTPScheme, host: HTTPHost, port: UInt16) {
        self.scheme = scheme
        self.host = host
        self.port = port
    }

    /// The value of the Host field: the port only where it is not the scheme's own (RFC 9110 §7.2).
    package var authority: String { port == scheme.defaultPort ? "\(host)" : "\(host):\(port)" }

    package var description: String { "\(scheme.rawValue)://\(authority)" }
}

/// Why a text is not a URL that we would ask; each case is one rule.
package enum URLProblem: Error, Equatable, Sendable {
    case tooLong
    /// A control byte, a space, a byte above 127, a backslash or another character that RFC 3986 does not allow there.
    case forbiddenByte
    case missingScheme
    case unsupportedScheme(String)
    /// `user@` or `user:password@`.
    case userInformation
    case malformedHost
    case malformedPort
    case malformedEscape
}

/// An http or https URL, split strictly and kept apart in the pieces a request needs (RFC 3986 §3, narrowed).
///
/// There is no user information, no fragment, no byte outside of visible ASCII, and no host that two readers could
/// understand differently: names are LDH labels (and `_`), a last label that looks like a number must be part of four
/// decimal octets.
package struct HTTPURL: Hashable, Sendable {
    package let origin: HTTPOrigin
    /// The path, with `?` and the query if there is one, as they go into the request line; starts with `/`.
    package let target: String

    /// Longest URL that is read; servers refuse longer ones as well.
    package static let maximumLength = 4096

    /// Splits a URL; a fragment is dropped, for it never leaves the browser either (RFC 9110 §7.1).
    package init(_ text: String) throws(URLProblem) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.maximumLength else { throw .tooLong }
        guard bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else { throw .forbiddenByte }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0,
            bytes[colon...].starts(with: "://".utf8)
        else { throw .missingScheme }
        let schemeText = String(decoding: bytes[..<colon], as: UTF8.self).lowercased()
        guard let scheme = HTTPScheme(rawValue: schemeText) else { throw .unsupportedScheme(schemeText) }

        let afterScheme = bytes[(colon + 3)...]
        let delimiters = Array("/?#".utf8)
        let authorityEnd = afterScheme.firstIndex { delimiters.contains($0) } ?? bytes.endIndex
        self.origin = try HTTPOrigin(scheme: scheme, authority: bytes[(colon + 3)..<authorityEnd])
        self.target = try Self.checkedTarget(bytes[authorityEnd...])
    }

    /// Joins an origin and a target that starts with `/`.
    package init(origin: HTTPOrigin, target: String) throws(URLProblem) {
        guard target.utf8.count <= Self.maximumLength else { throw .tooLong }
        guard target.utf8.first == UInt8(ascii: "/") else { throw .forbiddenByte }
        self.origin = origin
        self.target = try Self.checkedTarget(Array(target.utf8)[...])
    }

    /// The path without the query.
    package var path: Substring { target.prefix { $0 != "?" } }

    /// The query without its `?`; nil if there is none.
    package var query: Substring? { target.firstIndex(of: "?").map { target[target.index(after: $0)...] } }

    /// The URL that a Location field means when this URL was asked (RFC 3986 §5.2): absolute, `//host/…`, `/…` or
    /// relative to this path, dot segments removed.
    package func resolving(_ reference: String) throws(URLProblem) -> HTTPURL {
        let bare = String(reference.prefix { $0 != "#" })
        if bare.hasPrefix("//") { return try HTTPURL("\(origin.scheme.rawValue):\(bare)") }
        let head = bare.prefix { $0 != "/" && $0 != "?" }
        if head.contains(":") { return try HTTPURL(bare) }
        if bare.isEmpty { return self }
        if bare.hasPrefix("?") { return try HTTPURL(origin: origin, target: path + bare) }
        let path = String(bare.prefix { $0 != "?" })
        let folder = self.path[..<self.path.index(after: self.path.lastIndex(of: "/")!)]
        let merged = Self.removingDotSegments(path.hasPrefix("/") ? path : folder + path)
        return try HTTPURL(origin: origin, target: merged + bare.dropFirst(path.count))
    }

    /// RFC 3986 §5.2.4 for a path that starts with `/`.
    static func removingDotSegments(_ path: String) -> String {
        var kept: [Substring] = []
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, segment) in segments.enumerated() {
            let isLast = index == segments.count - 1
            switch segment {
            case ".": if isLast { kept.append("") }
            case "..":
                _ = kept.popLast()
                if isLast { kept.append("") }
            default: kept.append(segment)
            }
        }
        return "/" + kept.joined(separator: "/")
    }

    /// Checks path and query byte by byte, drops the fragment, and puts the missing `/` in front.
    private static func checkedTarget(_ bytes: ArraySlice<UInt8>) throws(URLProblem) -> String {
        let allowed = Array("-._~!$&'()*+,;=:@/?".utf8)
        let hexDigits = Array("0123456789abcdefABCDEF".utf8)
        let bytes = bytes.prefix { $0 != UInt8(ascii: "#") }
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%") {
                guard index + 2 < bytes.endIndex, hexDigits.contains(bytes[index + 1]),
                    hexDigits.contains(bytes[index + 2])
                else { throw .malformedEscape }
                index += 2
            } else if !byte.isLetterOrDigit, !allowed.contains(byte) {
                throw .forbiddenByte
            }
            index += 1
        }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.hasPrefix("/") ? text : "/" + text
    }
}

extension HTTPURL: CustomStringConvertible {
    /// The URL without its query, the form for errors and logs: queries carry tokens.
    package var description: String { "\(origin)\(path)" }
}

extension HTTPOrigin {
    /// Reads `host[:port]`.
    fileprivate init(scheme: HTTPScheme, authority: ArraySlice<UInt8>) throws(URLProblem) {
        guard !authority.contains(UInt8(ascii: "@")) else { throw .userInformation }
        let hostBytes: ArraySlice<UInt8>
        let portBytes: ArraySlice<UInt8>?
        let host: HTTPHost
        if authority.first == UInt8(ascii: "[") {
            guard let close = authority.firstIndex(of: UInt8(ascii: "]")) else { throw .malformedHost }
            hostBytes = authority[(authority.startIndex + 1)..<close]
            let rest = authority[(close + 1)...]
            guard rest.isEmpty || rest.first == UInt8(ascii: ":") else { throw .malformedHost }
            portBytes = rest.isEmpty ? nil : rest.dropFirst()
            guard let address = IPAddress(String(decoding: hostBytes, as: UTF8.self)), case .v6 = address else {
                throw .malformedHost
            }
            host = .address(address)
        } else {
            let colon = authority.firstIndex(of: UInt8(ascii: ":"))
            hostBytes = authority[..<(colon ?? authority.endIndex)]
            portBytes = colon.map { authority[($0 + 1)...] }
            host = try HTTPHost(name: hostBytes)
        }
        self.init(scheme: scheme, host: host, port: try portBytes.map(Self.port) ?? scheme.defaultPort)
    }

    /// One to five digits without a leading zero, 1...65535.
    private static func port(_ bytes: ArraySlice<UInt8>) throws(URLProblem) -> UInt16 {
        guard bytes.count <= 5, bytes.allSatisfy(\.isDigit), bytes.first != UInt8(ascii: "0"),
            let port = UInt16(String(decoding: bytes, as: UTF8.self))
        else { throw .malformedPort }
        return port
    }
}

extension HTTPHost {
    /// Reads a registered name or four decimal octets.
    fileprivate init(name bytes: ArraySlice<UInt8>) throws(URLProblem) {
        guard !bytes.isEmpty, bytes.count <= 253 else { throw .malformedHost }
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for label in labels {
            guard (1...63).contains(label.count),
                label.allSatisfy({ $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }),
                label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-")
            else { throw .malformedHost }
        }
        let name = String(decoding: bytes, as: UTF8.self).lowercased()
        // The resolver takes 127.1, 2130706433 and 0x7f.0.0.1 for addresses; no real host name ends in a number.
        let last = labels.last!
        let looksNumeric = last.allSatisfy(\.isDigit) || last.starts(with: "0x".utf8) || last.starts(with: "0X".utf8)
        if looksNumeric {
            guard let address = IPAddress(name) else { throw .malformedHost }
            self = .address(address)
        } else {
            self = .name(name)
        }
    }
}

extension UInt8 {
    /// `0`...`9`.
    var isDigit: Bool { self >= 0x30 && self <= 0x39 }
    /// An ASCII letter or digit.
    var isLetterOrDigit: Bool { isDigit || (self | 0x20 >= 0x61 && self | 0x20 <= 0x7A) }
}
