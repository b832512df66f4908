internal import HTTPWire

/// The address that an ingress saw, as it wrote it behind what it was told: the last one in X-Forwarded-For.
///
/// It says something only if the request is proven to come through that ingress.
enum ForwardedFor {
    private static let name = Array("x-forwarded-for".utf8)

    /// The last address; nil if there is none, or what stands there is no address.
    static func last(
        _ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        for field in head.fields.reversed()
        where field.known == .xForwarded && field.name.count == 15 && field.isNamed(name, in: buffer) {
            let value = field.value.bytes(in: buffer)
            let start = value.lastIndex { $0 == 0x2c || $0 == 0x20 }.map { $0 + 1 } ?? 0
            let last = UnsafeRawBufferPointer(rebasing: value[start...])
            return (2...45).contains(last.count) && last.allSatisfy(isAddressByte) ? last : nil
        }
        return nil
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66, 0x2e, 0x3a: true
        default: false
        }
    }
}
