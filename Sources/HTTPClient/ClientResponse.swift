/// Status and fields of an answer.
package struct ClientResponseHead: Equatable, Sendable {
    package var status: Int
    package var fields: [ClientField]

    package init(status: Int, fields: [ClientField]) {
        self.status = status
        self.fields = fields
    }

    /// The value of the first field with this name, in any case; nil if there is none.
    package subscript(_ name: String) -> String? {
        let name = name.lowercased()
        return fields.first { $0.name.lowercased() == name }?.value
    }
}

/// An answer whose body is still on its way.
package struct ClientResponse: Sendable {
    package let head: ClientResponseHead
    /// The body; whoever does not read it to its end should `cancel()` it, or drop it, which closes the connection.
    package let body: ClientBody

    package var status: Int { head.status }
}

/// An answer with all of its body.
package struct CollectedResponse: Equatable, Sendable {
    package var head: ClientResponseHead
    package var body: [UInt8]

    package init(head: ClientResponseHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }

    package var status: Int { head.status }
    /// The body as text; malformed UTF-8 is repaired.
    package var text: String { String(decoding: body, as: UTF8.self) }
}
