/// A block of addresses, as one entry of TRUSTED_PROXIES: `10.42.0.0/16`, `fd00::/8`, `127.0.0.1`.
public struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    /// The first address.
    public let network: PeerAddress
    /// How many leading bits all addresses share, of 128; IPv4 blocks count the 96 bits of the mapping.
    public let prefix: Int

    private let highMask: UInt64
    private let lowMask: UInt64

    /// Takes an address with or without `/bits`; throws when it is none, or has bits set behind the prefix.
    public init(_ text: String) throws(AddressRangeError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = PeerAddress(String(first)) else { throw .malformed(text) }
        // `::ffff:10.0.0.0/104` counts bits of the whole address; `10.0.0.0/8` counts those of the IPv4 address.
        let isShort = address.isIPv4 && !first.contains(":")
        var bits = 128
        if parts.count == 2 {
            guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ $0 &- 0x30 < 10 }),
                let number = Int(parts[1]), number <= (isShort ? 32 : 128)
            else { throw .malformed(text) }
            bits = isShort ? number + 96 : number
        }
        self.init(address, prefix: bits)
        guard address == network else { throw .bitsBehindPrefix(text, network: description) }
    }

    private init(_ address: PeerAddress, prefix: Int) {
        highMask = prefix >= 64 ? .max : prefix == 0 ? 0 : .max << UInt64(64 - prefix)
        lowMask = prefix <= 64 ? 0 : prefix >= 128 ? .max : .max << UInt64(128 - prefix)
        network = PeerAddress(high: address.high & highMask, low: address.low & lowMask)
        self.prefix = prefix
    }

    /// Whether the address lies in the block.
    public func contains(_ address: PeerAddress) -> Bool {
        address.high & highMask == network.high && address.low & lowMask == network.low
    }

    public var description: String {
        network.isIPv4 && prefix >= 96 ? "\(network)/\(prefix - 96)" : "\(network)/\(prefix)"
    }

    /// The blocks of a comma-separated list; white space and empty entries are ignored.
    public static func list(_ text: String) throws(AddressRangeError) -> [AddressRange] {
        var ranges: [AddressRange] = []
        for entry in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            ranges.append(try AddressRange(String(entry)))
        }
        return ranges
    }
}

/// Why a text is no block of addresses.
public enum AddressRangeError: Error, Equatable, Sendable, CustomStringConvertible {
    case malformed(String)
    case bitsBehindPrefix(String, network: String)

    public var description: String {
        switch self {
        case .malformed(let text):
            "\"\(text)\" is no address range: something like 10.42.0.0/16, fd00::/8 or 127.0.0.1 is needed."
        case .bitsBehindPrefix(let text, let network):
            "\"\(text)\" has bits set behind its prefix: \(network) may be meant."
        }
    }
}
