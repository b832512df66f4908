/// A DNS record, as far as it is compared.
package struct DNSRecord: Hashable, Sendable, Codable {
    package var id: String
    package var type: String
    /// Lower case.
    package var name: String
    package var content: String
    package var proxied: Bool?
    package var comment: String?

    package init(
        id: String, type: String = "CNAME", name: String, content: String, proxied: Bool? = true, comment: String?
    ) {
        self.id = id
        self.type = type
        self.name = name
        self.content = content
        self.proxied = proxied
        self.comment = comment
    }

    /// What marks a record as ours; the original's words, so that its records are taken over.
    package static let mark = "opencode session — managed by opencode-cloudflare-operator"
}
