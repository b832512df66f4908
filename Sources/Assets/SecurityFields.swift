/// Header fields that every answer of a catalogue carries.
package struct SecurityFields: Sendable {
    /// Names and values, in the order they are sent.
    package let fields: [(name: String, value: String)]

    /// Takes any fields; throws for a name or a value that could not be sent, or that the catalogue itself sends.
    package init(_ fields: [(name: String, value: String)]) throws(AssetError) {
        for field in fields {
            let isName = !field.name.isEmpty && field.name.utf8.allSatisfy { $0 == 0x2d || Self.isAlphanumeric($0) }
            let isValue = field.value.utf8.allSatisfy { (0x20...0x7e).contains($0) }
            guard isName, isValue, !Self.own.contains(field.name.lowercased()) else {
                throw .malformedField(name: field.name)
            }
        }
        self.fields = fields
    }

    private init(checked fields: [(name: String, value: String)]) {
        self.fields = fields
    }

    /// What keeps the picker's pages to themselves.
    ///
    /// Pages of sessions are siblings of the picker and hostile: they may not frame it, open it with a handle, embed its
    /// files or learn its addresses; and should the picker ever be tricked into showing markup, nothing in it runs.
    package static let picker = SecurityFields(checked: [
        (
            "Content-Security-Policy",
            """
            default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
            connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'
            """
        ),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Origin-Agent-Cluster", "?1"),
        (
            "Permissions-Policy",
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=(), serial=(), hid=()"
        ),
    ])

    /// The lines as they stand in a head.
    var text: String { fields.map { "\($0.name): \($0.value)\r\n" }.joined() }

    private static let own: Set<String> = [
        "content-length", "content-type", "content-encoding", "content-range", "etag", "vary", "cache-control",
        "accept-ranges", "date", "connection", "transfer-encoding", "allow",
    ]

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26
    }
}
