internal import Glibc

/// Owns one file descriptor and closes it exactly once.
public struct Descriptor: ~Copyable, Sendable {
    /// The kernel's number; valid for as long as this value lives.
    public let number: CInt

    /// Takes over a descriptor that nobody else will close.
    public init(adopting number: CInt) {
        precondition(number >= 0, "not a descriptor")
        self.number = number
    }

    /// Gives the number away; this value will not close it.
    public consuming func release() -> CInt {
        let number = number
        discard self
        return number
    }

    deinit {
        // EINTR after close leaves the descriptor closed on Linux: never retried.
        _ = Glibc.close(number)
    }
}
