internal import Glibc

/// The processes of a terminal, found by the kernel's session that the shell leads: jobs of an interactive shell have
/// process groups of their own, but stay in its session.
enum ProcessTree {
    /// The processes whose session is one of these.
    static func members(of sessions: Set<pid_t>) -> [pid_t] {
        guard !sessions.isEmpty, let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var members: [pid_t] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let process = pid_t(name), sessions.contains(getsid(process)) else { continue }
            members.append(process)
        }
        return members
    }

    /// Sends a signal to every process of these sessions.
    static func signal(_ number: CInt, to sessions: Set<pid_t>) {
        for process in members(of: sessions) { kill(process, number) }
    }
}
