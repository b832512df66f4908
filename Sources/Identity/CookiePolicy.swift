public import HTTPWire

/// Refuses requests with two sign-in cookies of one name.
///
/// A session's page can set a cookie of that name for all siblings, with a longer path so that it comes first; the person
/// would act under the planted sign-in. Only the doubled name gives it away (RFC 6265 §5.4 leaves the order to the browser).
public struct CookiePolicy: Sendable {
    /// Why cookies are refused; the raw value is the stable code.
    public enum Refusal: String, Error, Equatable, Sendable {
        case duplicate = "auth_cookie_duplicate"
        case tooMany = "auth_cookie_too_many"

        /// The code again, under the name that answers give it.
        public var code: String { rawValue }

        /// What happened and what to do, for a person.
        public var sentence: String {
            "Your browser sent the sign-in cookie more than once: clear the cookies of this site and sign in again."
        }
    }

    /// More sign-in cookies than split sessions and pending sign-ins in many tabs make; also the bound of the work.
    static let limit = 128

    private let prefixes: [[UInt8]]

    /// Names that begin with one of these are sign-in cookies (AUTH_COOKIE_PREFIXES); compared without case, as they
    /// are when sessions are kept from seeing them.
    public init(prefixes: [String]) {
        self.prefixes = prefixes.filter { !$0.isEmpty }.map { $0.utf8.map(Bytes.lowered) }
    }

    /// Why the request is refused; nil when each sign-in cookie comes once. Allocates nothing.
    public func refusal(_ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer) -> Refusal? {
        withUnsafeTemporaryAllocation(of: ByteRange.self, capacity: Self.limit) { seen in
            var count = 0
            for index in 0..<head.fields.count {
                let field = head.fields[index]
                // A pattern, not `==`: that is a call through a witness table in another module.
                guard case .cookie = field.known else { continue }
                var names = CookieNames(field.value.bytes(in: buffer))
                while let name = names.next() {
                    let bytes = UnsafeRawBufferPointer(rebasing: names.bytes[name])
                    guard isSignIn(bytes) else { continue }
                    for known in 0..<count where seen[known].bytes(in: buffer).equalsIgnoringCase(bytes) {
                        return .duplicate
                    }
                    guard count < Self.limit else { return .tooMany }
                    seen.initializeElement(
                        at: count, to: ByteRange(start: Int(field.value.start) + name.lowerBound, count: name.count))
                    count += 1
                }
            }
            return nil
        }
    }

    /// The sign-in cookies alone, as the value of a Cookie field; empty if there are none.
    public func signInCookies(_ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer) -> [UInt8] {
        var cookies: [UInt8] = []
        for index in 0..<head.fields.count {
            let field = head.fields[index]
            guard field.known == .cookie else { continue }
            var names = CookieNames(field.value.bytes(in: buffer))
            while let name = names.next() {
                guard isSignIn(UnsafeRawBufferPointer(rebasing: names.bytes[name])) else { continue }
                if !cookies.isEmpty { cookies.append(contentsOf: [0x3b, 0x20]) }
                cookies.append(contentsOf: names.bytes[name.lowerBound..<names.pairEnd])
            }
        }
        return cookies
    }

    private func isSignIn(_ name: UnsafeRawBufferPointer) -> Bool {
        for index in 0..<prefixes.count {
            let prefix = prefixes[index]
            if name.count >= prefix.count, Bytes.equal(name, 0..<prefix.count, prefix) { return true }
        }
        return false
    }
}

/// The names in the value of one Cookie field, in order, as servers read them: split at `;`, up to the first `=`, trimmed.
///
/// Quotes protect nothing (oauth2-proxy's reader splits inside them, too), a cookie without `=` counts as its name, and
/// empty names are looked through: a browser sends a nameless cookie with the value `name=x` as if it were that one.
struct CookieNames {
    let bytes: UnsafeRawBufferPointer
    private var position = 0
    /// Where the cookie of the last name ends, with its value.
    private(set) var pairEnd = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The place of the next name that is not empty.
    mutating func next() -> Range<Int>? {
        while position < bytes.count {
            var start = position
            while start < bytes.count, Self.isBlank(bytes[start]) || bytes[start] == 0x3d { start += 1 }
            var end = start
            while end < bytes.count, bytes[end] != 0x3b, bytes[end] != 0x3d { end += 1 }
            // A sign-in's value is kilobytes long.
            pairEnd = bytes.first(0x3b, from: end)
            position = pairEnd + 1
            while end > start, Self.isBlank(bytes[end - 1]) { end -= 1 }
            if start < end { return start..<end }
        }
        return nil
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
