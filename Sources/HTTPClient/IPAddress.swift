import Glibc

/// An IPv4 or IPv6 address as a number, the form that policies compare.
///
/// A value of its own, so that whoever decides about addresses needs neither sockets nor text.
package enum IPAddress: Hashable, Sendable {
    case v4(UInt32)
    case v6(high: UInt64, low: UInt64)

    /// The address that this text spells: four decimal octets, or RFC 4291 §2.2 without a zone; nil for anything else.
    ///
    /// The short, octal and hexadecimal spellings of inet_aton (`127.1`, `0x7f000001`) are not addresses here.
    package init?(_ text: some StringProtocol) {
        let text = String(text)
        var octets = in_addr()
        if inet_pton(AF_INET, text, &octets) == 1 {
            self = .v4(UInt32(bigEndian: octets.s_addr))
            return
        }
        var sixteen = in6_addr()
        guard inet_pton(AF_INET6, text, &sixteen) == 1 else { return nil }
        self = withUnsafeBytes(of: sixteen) { IPAddress(networkOrder: $0)! }
    }

    /// The address in 4 or 16 bytes in network order; nil for any other count.
    package init?(networkOrder bytes: UnsafeRawBufferPointer) {
        func number<I: FixedWidthInteger>(at offset: Int, as type: I.Type) -> I {
            I(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
        }
        switch bytes.count {
        case 4: self = .v4(number(at: 0, as: UInt32.self))
        case 16: self = .v6(high: number(at: 0, as: UInt64.self), low: number(at: 8, as: UInt64.self))
        default: return nil
        }
    }

    /// The IPv4 address that routers reach through this IPv6 address: mapped (RFC 4291 §2.5.5.2) or behind the
    /// well-known NAT64 prefix (RFC 6052 §2.1); nil for everything else.
    package var embeddedIPv4: IPAddress? {
        guard case .v6(let high, let low) = self else { return nil }
        let mapped = high == 0 && low >> 32 == 0xFFFF
        let translated = high == 0x0064_FF9B_0000_0000 && low >> 32 == 0
        return mapped || translated ? .v4(UInt32(truncatingIfNeeded: low)) : nil
    }

    /// Whether the leading `length` bits equal those of `prefix`; addresses of different families never match.
    package func isWithin(_ prefix: IPAddress, _ length: Int) -> Bool {
        switch (self, prefix) {
        case (.v4(let own), .v4(let other)):
            return length == 0 || (own ^ other) >> (32 - UInt32(length)) == 0
        case (.v6(let high, let low), .v6(let otherHigh, let otherLow)):
            if length == 0 { return true }
            if length <= 64 { return (high ^ otherHigh) >> (64 - UInt64(length)) == 0 }
            return high == otherHigh && (low ^ otherLow) >> (128 - UInt64(length)) == 0
        default:
            return false
        }
    }
}

extension IPAddress: CustomStringConvertible {
    /// Dotted decimal, or RFC 5952 text without brackets.
    package var description: String {
        switch self {
        case .v4(let number):
            return [24, 16, 8, 0].map { String(number >> UInt32($0) & 0xFF) }.joined(separator: ".")
        case .v6(let high, let low):
            var bytes = (high.bigEndian, low.bigEndian)
            return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
                guard inet_ntop(AF_INET6, &bytes, text.baseAddress!, socklen_t(text.count)) != nil else { return "?" }
                return String(cString: text.baseAddress!)
            }
        }
    }
}
