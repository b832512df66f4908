public import HTTPWire

/// Decides who is asking from a request head and its peer, without waiting and without allocating.
///
/// Exactly one header carries the identity, and it counts only with proof that the signing-in proxy is talking: the peer's
/// address, a shared key, or both where both are configured. Everything doubtful is refused (measured on oauth2-proxy:
/// the other header families are the client's to write in each topology).
public struct IdentityPolicy: Sendable {
    /// Whether everybody who reaches the listener is believed; worth a warning at every start.
    public let trustsAnyPeer: Bool
    /// The name of the header that carries the identity, as configured.
    public let emailHeader: String

    private let emailName: [UInt8]
    private let secretName: [UInt8]?
    /// Names whose look-alikes are refused, in lower case.
    private let guardedNames: [[UInt8]]
    private let proxies: [AddressRange]
    private let secrets: [Secret]
    private let hasProof: Bool
    private let developer: [UInt8]?

    /// Checks the settings; outside development it throws unless something proves where requests come from.
    public init(_ settings: IdentitySettings) throws(IdentitySettingsError) {
        let header = settings.emailHeader ?? settings.mode.emailHeader
        for (setting, name) in [("AUTH_EMAIL_HEADER", header), ("AUTH_SECRET_HEADER", settings.secretHeader)] {
            guard Self.isHeaderName(name) else { throw .malformedHeaderName(setting: setting, name: name) }
        }
        guard Self.lowered(header) != Self.lowered(settings.secretHeader) else { throw .sameHeaderTwice(header) }
        guard settings.secrets.count <= 2 else { throw .tooManySecrets(settings.secrets.count) }
        for secret in settings.secrets {
            guard (16...Secret.limit).contains(secret.utf8.count),
                secret.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
            else { throw .weakSecret }
        }
        hasProof = settings.trustsAnyPeer || !settings.trustedProxies.isEmpty || !settings.secrets.isEmpty
        guard hasProof || settings.development else { throw .noProof }

        developer = try Self.developer(of: settings)
        emailHeader = header
        emailName = Array(header.utf8).map(Bytes.lowered)
        secretName = settings.secrets.isEmpty ? nil : Array(settings.secretHeader.utf8).map(Bytes.lowered)
        var guarded: Set<[UInt8]> = [Self.lowered(header)]
        for mode in IdentitySettings.Mode.allCases { guarded.insert(Self.lowered(mode.emailHeader)) }
        if !settings.secrets.isEmpty { guarded.insert(Self.lowered(settings.secretHeader)) }
        guardedNames = Array(guarded)
        proxies = settings.trustedProxies
        secrets = settings.secrets.map { Secret(Array($0.utf8)) }
        trustsAnyPeer = settings.trustsAnyPeer && proxies.isEmpty && secrets.isEmpty
    }

    /// Whether TRUSTED_PROXIES holds the peer.
    public func isTrustedProxy(_ peer: PeerAddress) -> Bool { proxies.contains { $0.contains(peer) } }

    /// Who is asking with this head over a connection from this peer.
    public func identify(
        _ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer, peer: PeerAddress
    ) -> Identification {
        var email: ByteRange?
        var secret: ByteRange?
        let emailLength = emailName.count
        let secretLength = secretName?.count ?? -1
        let looksClosely = head.hasFoldableNames
        for index in 0..<head.fields.count {
            let field = head.fields[index]
            let length = Int(field.name.count)
            // Lengths tell nearly all fields apart from the two that count.
            guard length == emailLength || length == secretLength || looksClosely else { continue }
            if length == emailLength, Bytes.equal(field.name.bytes(in: buffer), emailName) {
                guard email == nil else { return .refused(.duplicate) }
                email = field.value
            } else if length == secretLength, let secretName, Bytes.equal(field.name.bytes(in: buffer), secretName) {
                guard secret == nil else { return .refused(.duplicateSecret) }
                secret = field.value
            } else if looksClosely, isLookAlike(field, in: buffer) {
                return .refused(.lookAlike)
            }
        }
        guard let email else { return developer == nil ? .refused(.missing) : .development }
        if let refusal = refusal(of: peer, secret: secret, in: buffer) { return .refused(refusal) }
        guard let range = EmailAddress.range(in: email.bytes(in: buffer)) else { return .refused(.malformed) }
        return .header(ByteRange(start: Int(email.start) + range.lowerBound, count: range.count))
    }

    /// Whether the asker is the owner, whose address is normalised; a refused request matches nobody.
    public func matches(
        _ identification: Identification, owner: [UInt8], in buffer: UnsafeRawBufferPointer
    ) -> Bool {
        switch identification {
        case .header(let range): !owner.isEmpty && Bytes.equal(range.bytes(in: buffer), owner)
        case .development: developer.map { !$0.isEmpty && $0 == owner } ?? false
        case .refused, .unnamed: false
        }
    }

    /// The asker's normalised address; nil for a refused request.
    public func email(_ identification: Identification, in buffer: UnsafeRawBufferPointer) -> String? {
        switch identification {
        case .header(let range):
            String(decoding: range.bytes(in: buffer).lazy.map(Bytes.lowered), as: UTF8.self)
        case .development: developer.map { String(decoding: $0, as: UTF8.self) }
        case .refused, .unnamed: nil
        }
    }

    /// A number for the asker's normalised address that nobody outside this process can compute, for counting without
    /// keeping addresses; nil for a refused request.
    public func digest(_ identification: Identification, in buffer: UnsafeRawBufferPointer) -> UInt64? {
        // Keyed anew by every process.
        var hasher = Hasher()
        switch identification {
        case .header(let range):
            let address = range.bytes(in: buffer)
            withUnsafeTemporaryAllocation(byteCount: address.count, alignment: 1) { lowered in
                for index in 0..<address.count { lowered[index] = Bytes.lowered(address[index]) }
                hasher.combine(bytes: UnsafeRawBufferPointer(lowered))
            }
        case .development:
            guard let developer else { return nil }
            developer.withUnsafeBytes { hasher.combine(bytes: $0) }
        case .refused, .unnamed: return nil
        }
        return UInt64(truncatingIfNeeded: Int64(hasher.finalize()))
    }

    /// Why peer and key do not prove that the proxy is talking; nil when they do.
    private func refusal(
        of peer: PeerAddress, secret: ByteRange?, in buffer: UnsafeRawBufferPointer
    ) -> IdentityRefusal? {
        guard hasProof else { return .noProof }
        if !proxies.isEmpty {
            var trusted = false
            for index in 0..<proxies.count where proxies[index].contains(peer) { trusted = true }
            guard trusted else { return .untrustedPeer }
        }
        if !secrets.isEmpty {
            guard let secret else { return .missingSecret }
            let candidate = secret.bytes(in: buffer)
            var known = false
            // Both keys are always compared, so that time does not tell which one is in use.
            for index in 0..<secrets.count where secrets[index].equals(candidate) { known = true }
            guard known else { return .wrongSecret }
        }
        return nil
    }

    /// Whether another reader could take the name for one of the guarded names: equal but for `-`, `_`, `.` and case.
    ///
    /// The other family's exact spelling is no look-alike: it is ignored here, and no pod ever sees it.
    private func isLookAlike(_ field: Field, in buffer: UnsafeRawBufferPointer) -> Bool {
        for index in 0..<guardedNames.count where field.resembles(guardedNames[index], in: buffer) {
            if !field.isNamed(guardedNames[index], in: buffer) { return true }
        }
        return false
    }

    private static func developer(of settings: IdentitySettings) throws(IdentitySettingsError) -> [UInt8]? {
        guard let text = settings.developmentEmail, !text.isEmpty else { return nil }
        guard settings.development else { throw .developmentEmailOutsideDevelopment }
        guard settings.listensOnLoopback else { throw .developmentEmailNotOnLoopback }
        let bytes = Array(text.utf8)
        guard let range = bytes.withUnsafeBytes({ EmailAddress.range(in: $0) }) else {
            throw .malformedDevelopmentEmail(text)
        }
        return bytes[range].map(Bytes.lowered)
    }

    /// Letters, digits and hyphens only: a name with `_` or `.` would be its own look-alike.
    private static func isHeaderName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                byte == 0x2d || byte &- 0x30 < 10 || Bytes.lowered(byte) &- 0x61 < 26
            }
    }

    private static func lowered(_ name: String) -> [UInt8] { name.utf8.map(Bytes.lowered) }
}
