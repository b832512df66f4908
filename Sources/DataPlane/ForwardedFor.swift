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
        // Plain loops: `reversed()` and `lastIndex` stay generic here and allocate.
        var index = head.fields.count
        while index > 0 {
            index -= 1
            let field = head.fields[index]
            // A pattern, not `==`: that is a call through a witness table in another module.
            guard case .xForwarded = field.known, field.name.count == 15, field.isNamed(name, in: buffer) else {
                continue
            }
            let value = field.value.bytes(in: buffer)
            var start = value.count
            while start > 0, isAddressByte(value[start - 1]) { start -= 1 }
            // In front of the last address stands a comma, a blank, or nothing.
            guard (2...45).contains(value.count - start),
                start == 0 || value[start - 1] == 0x2c || value[start - 1] == 0x20
            else { return nil }
            return UnsafeRawBufferPointer(rebasing: value[start...])
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
