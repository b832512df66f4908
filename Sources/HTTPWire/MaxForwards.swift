extension RequestHead {
    /// How many more times an OPTIONS may be forwarded (RFC 9110 §7.6.2): zero means that whoever reads it answers it.
    ///
    /// Nil for other methods, which nobody counts, and without a Max-Forwards. (TRACE never gets this far.)
    public func forwardsLeft(in buffer: UnsafeRawBufferPointer) -> UInt64? {
        guard method == .options, let field = first(.maxForwards) else { return nil }
        return Self.forwardsLeft(by: field, in: buffer)
    }

    /// The number that a Max-Forwards holds, at most a thousand: more hops than that are a loop. Nil if it is none.
    static func forwardsLeft(by field: Field, in buffer: UnsafeRawBufferPointer) -> UInt64? {
        guard !field.value.isEmpty else { return nil }
        var number: UInt64 = 0
        for byte in field.value.bytes(in: buffer) {
            let digit = byte &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            number = min(number * 10 + UInt64(digit), 1000)
        }
        return number
    }
}
