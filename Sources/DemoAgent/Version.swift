internal import Glibc

extension DemoAgent {
    /// What the agent calls itself in `/global/health` and in its sessions.
    package static let version = "demo-1"
}

/// Milliseconds since 1970, as opencode's times are.
func wallClock() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}
