internal import Glibc

/// A moment on the monotonic clock, in milliseconds; wall-clock jumps do not move it.
public struct Deadline: Comparable, Hashable, Sendable {
    public let milliseconds: UInt64

    @inlinable
    public init(milliseconds: UInt64) { self.milliseconds = milliseconds }

    /// No deadline at all.
    @inlinable
    public static var never: Deadline { Deadline(milliseconds: .max) }

    /// The monotonic clock now, by a system call (vDSO); on a loop prefer `LoopExecutor.now`.
    public static func current() -> Deadline {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Deadline(milliseconds: UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000)
    }

    /// This moment and so many milliseconds; saturates at `never`.
    @inlinable
    public func advanced(milliseconds more: UInt64) -> Deadline {
        let (sum, overflow) = milliseconds.addingReportingOverflow(more)
        return Deadline(milliseconds: overflow ? .max : sum)
    }

    @inlinable
    public func advanced(seconds: Int) -> Deadline { advanced(milliseconds: UInt64(seconds) * 1000) }

    @inlinable
    public static func < (one: Self, other: Self) -> Bool { one.milliseconds < other.milliseconds }
}
