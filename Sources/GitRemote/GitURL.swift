package import HTTPClient

/// Why a text is not the address of a repository that we would ask.
package enum GitURLProblem: Error, Equatable, Sendable {
    /// It is no URL at all, or one that two readers could understand differently.
    case url(URLProblem)
    /// Repositories have no query.
    case query
    case noPath
    /// An escaped control byte, or a `.` or `..` segment, escaped or not.
    case deceptivePath
}

/// The address of a repository on a git server that speaks smart HTTP: an http or https URL without query and
/// without slashes at its end.
package struct GitURL: Hashable, Sendable {
    /// The repository itself; `info/refs` and `git-upload-pack` lie below it.
    package let base: HTTPURL

    private static let discoverySuffix = "/info/refs"
    private static let discoveryQuery = "service=git-upload-pack"

    /// Reads what a person typed or a configuration says.
    package init(_ text: String) throws(GitURLProblem) {
        let url: HTTPURL
        do { url = try HTTPURL(text) } catch { throw .url(error) }
        guard url.query == nil else { throw .query }
        self.base = try Self.checked(url)
    }

    /// The repository to which a server moved us when `info/refs` was redirected there; nil if the address does not
    /// end the way the question did, so that no base can be derived (git refuses those as well).
    package init?(discoveredAt url: HTTPURL) {
        guard url.query == Substring(Self.discoveryQuery), url.path.hasSuffix(Self.discoverySuffix),
            let base = try? HTTPURL(
                origin: url.origin, target: String(url.path.dropLast(Self.discoverySuffix.utf8.count))),
            let checked = try? Self.checked(base)
        else { return nil }
        self.base = checked
    }

    private init(base: HTTPURL) { self.base = base }

    /// Where the references are advertised; exactly one query parameter, others make servers speak the dumb protocol.
    package var discovery: HTTPURL { below(Self.discoverySuffix + "?" + Self.discoveryQuery) }

    /// Where protocol version 2 takes its commands.
    package var uploadPack: HTTPURL { below("/git-upload-pack") }

    /// The same repository with `.git` at its end, which some servers insist on; nil if it is there already.
    package var withSuffix: GitURL? {
        guard !base.path.hasSuffix(".git"), let url = try? HTTPURL(origin: base.origin, target: base.path + ".git")
        else { return nil }
        return GitURL(base: url)
    }

    private func below(_ suffix: String) -> HTTPURL {
        // The base was checked and the suffixes are constants.
        try! HTTPURL(origin: base.origin, target: base.path + suffix)
    }

    private static func checked(_ url: HTTPURL) throws(GitURLProblem) -> HTTPURL {
        var path = url.path
        while path.last == "/" { path.removeLast() }
        guard !path.isEmpty else { throw .noPath }
        for segment in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            let plain = unescaped(segment)
            guard plain.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { throw .deceptivePath }
            guard !plain.elementsEqual(".".utf8), !plain.elementsEqual("..".utf8) else { throw .deceptivePath }
        }
        // Room for the longest suffix must be left, see `below`.
        guard path.utf8.count + 64 < HTTPURL.maximumLength else { throw .url(.tooLong) }
        do { return try HTTPURL(origin: url.origin, target: String(path)) } catch { throw .url(error) }
    }

    private static func unescaped(_ segment: Substring) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(segment.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}

extension GitURL: CustomStringConvertible {
    package var description: String { base.description }
}
