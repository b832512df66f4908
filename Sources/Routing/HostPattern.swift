/// Which kind of host a name is, by its spelling alone: no table, no session.
///
/// Names are compared without case and with one trailing dot ignored (contract A1). Everything but the first label must be
/// the base domain exactly, so a host with extra labels or of another domain is never a session's.
struct HostPattern: Sendable {
    /// What a host name says.
    enum Kind: Equatable, Sendable {
        /// A host of the picker and the API.
        case picker
        /// `<hash><suffix>`.
        case session(UInt64)
        /// `<port>-<hash><suffix>`, the port well-formed and allowed.
        case port(UInt64, UInt16)
        /// `attach-<hash><suffix>`.
        case attach(UInt64)
        /// `editor-<hash><suffix>`.
        case editor(UInt64)
        /// `<anything>-<hash><suffix>` that is none of these: kept free for sessions, never the picker.
        case reserved
        /// No host of ours.
        case foreign
    }

    private let domain: [UInt8]
    private let suffix: [UInt8]
    private let attachPrefix: [UInt8]
    private let editorPrefix: [UInt8]?
    private let pickers: [[UInt8]]
    private let allowsOneLabel: Bool
    private let deniedPorts: Set<UInt16>

    init(_ settings: RoutingSettings) {
        domain = Array(settings.domain.utf8)
        suffix = Array(settings.routeSuffix.utf8)
        attachPrefix = Array(settings.attachPrefix.utf8)
        editorPrefix = settings.editorPrefix.map { Array($0.utf8) }
        allowsOneLabel = settings.routerHosts.isEmpty
        var names = settings.routerHosts.isEmpty ? [settings.domain] : settings.routerHosts
        if settings.allowsLoopbackNames { names += ["localhost", "127.0.0.1", "[::1]", "::1"] }
        pickers = names.map { Array($0.utf8) }
        deniedPorts = settings.deniedPorts
    }

    /// The kind of a host as sent, without port.
    func classify(_ sent: UnsafeRawBufferPointer) -> Kind {
        var host = sent
        if let last = host.last, last == 0x2e { host = UnsafeRawBufferPointer(rebasing: host[..<(host.count - 1)]) }
        if let label = label(of: host) {
            let kind = classify(label: label)
            if kind != .foreign { return kind }
            if allowsOneLabel { return .picker }
        }
        for name in pickers where ASCII.equal(host, name) { return .picker }
        return .foreign
    }

    /// The one label before the base domain; nil when there is none, more than one, or a byte that no label has.
    private func label(of host: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let count = host.count - domain.count - 1
        guard (1...63).contains(count), host[count] == 0x2e, ASCII.ends(host, with: domain) else { return nil }
        let label = UnsafeRawBufferPointer(rebasing: host[..<count])
        for byte in label where !ASCII.isLabelByte(byte) { return nil }
        return label
    }

    /// What the first label says; `foreign` when no session could be meant.
    private func classify(label: UnsafeRawBufferPointer) -> Kind {
        let start = label.count - suffix.count - 12
        guard start >= 0, ASCII.ends(label, with: suffix) else { return .foreign }
        var id: UInt64 = 0
        for index in start..<(start + 12) {
            guard let digit = ASCII.hexValue(label[index]) else { return .foreign }
            id = id << 4 | digit
        }
        guard start > 0 else { return .session(id) }
        let prefix = UnsafeRawBufferPointer(rebasing: label[..<start])
        if ASCII.equal(prefix, attachPrefix) { return .attach(id) }
        if let editorPrefix, ASCII.equal(prefix, editorPrefix) { return .editor(id) }
        guard prefix[start - 1] == 0x2d else { return .foreign }
        guard let port = port(UnsafeRawBufferPointer(rebasing: prefix[..<(start - 1)])) else { return .reserved }
        return .port(id, port)
    }

    /// A port from 1024 to 65535 without leading zeros that is not denied.
    private func port(_ digits: UnsafeRawBufferPointer) -> UInt16? {
        guard digits.count == 4 || digits.count == 5, digits[0] != 0x30 else { return nil }
        var value: UInt32 = 0
        for byte in digits {
            guard ASCII.isDigit(byte) else { return nil }
            value = value * 10 + UInt32(byte &- 0x30)
        }
        guard value >= 1024, let port = UInt16(exactly: value), !deniedPorts.contains(port) else { return nil }
        return port
    }
}
