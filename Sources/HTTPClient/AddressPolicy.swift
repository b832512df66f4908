/// Which addresses a connection may go to, asked for every resolved address before it is dialled.
///
/// The answer to server-side request forgery: names are resolved first, each address is judged, and the connection goes
/// to exactly the judged address, so that a name cannot answer differently the second time.
package struct AddressPolicy: Hashable, Sendable {
    /// The scopes that may be dialled; nil means all.
    private let scopes: Set<AddressScope>?

    /// No limit; for addresses that the operator or the program itself chose.
    package static let any = AddressPolicy(scopes: nil)

    /// Public servers only; for addresses that a user chose.
    package static let publicOnly = AddressPolicy(scopes: [.global])

    /// Public servers, and private networks and this machine too; never metadata services, multicast and oddities.
    ///
    /// Metadata services live on link-local addresses, and nobody keeps repositories there.
    package static let publicAndPrivate = AddressPolicy(scopes: [
        .global, .privateNetwork, .sharedNetwork, .uniqueLocal, .loopback,
    ])

    /// Whether this address may be dialled.
    package func permits(_ address: IPAddress) -> Bool {
        guard let scopes else { return true }
        return scopes.contains(address.scope)
    }
}
