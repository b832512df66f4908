internal import Glibc

/// An errno that the kernel answered with.
public struct Errno: Error, Equatable, Sendable, CustomStringConvertible {
    public let code: CInt

    public init(code: CInt) { self.code = code }

    /// From the `-errno` convention of the C shims.
    @inlinable
    public init(negated result: Int) { self.init(code: CInt(truncatingIfNeeded: -result)) }

    public var description: String { String(cString: strerror(code)) }

    public static let again = Errno(code: EAGAIN)
    public static let connectionRefused = Errno(code: ECONNREFUSED)
    public static let connectionReset = Errno(code: ECONNRESET)
    public static let addressInUse = Errno(code: EADDRINUSE)
    public static let timedOut = Errno(code: ETIMEDOUT)

    /// Whether this process or machine has too little of something: descriptors, ports, memory.
    public var isExhaustion: Bool {
        [EMFILE, ENFILE, EADDRNOTAVAIL, ENOBUFS, ENOMEM, EAGAIN].contains(code)
    }

    /// Whether splice(2) is not to be had here, for whatever reason of the kernel's or a sandbox's, and a copy may work.
    public var refusesSplice: Bool { [EINVAL, ENOSYS, EPERM, EOPNOTSUPP, ENOMEM].contains(code) }
}

/// The outcome of one non-blocking call.
public enum IOOutcome: Equatable, Sendable {
    case moved(Int)
    case wouldBlock
    case endOfStream
    case failed(Errno)
}

/// Why a waiting operation on a stream ended without success.
public enum IOError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The deadline passed first.
    case timedOut
    /// The peer ended its stream where more bytes were due.
    case endOfStream
    /// The task that waited was cancelled.
    case cancelled
    /// A system call failed; `call` names it.
    case system(call: StaticString, Errno)

    public static func == (one: Self, other: Self) -> Bool {
        switch (one, other) {
        case (.timedOut, .timedOut), (.endOfStream, .endOfStream), (.cancelled, .cancelled): true
        case (.system(_, let one), .system(_, let other)): one == other
        default: false
        }
    }

    public var description: String {
        switch self {
        case .timedOut: "timed out"
        case .endOfStream: "the peer closed the connection"
        case .cancelled: "cancelled"
        case .system(let call, let errno): "\(call): \(errno)"
        }
    }
}

/// Throws the errno of a shim's negative result, otherwise returns it.
@discardableResult
func check<T: BinaryInteger>(_ call: StaticString, _ result: T) throws(IOError) -> T {
    guard result >= 0 else { throw .system(call: call, Errno(negated: Int(result))) }
    return result
}
