import Glibc

/// One process as /proc shows it: enough to tell it from a later one with the same number.
struct ProcessIdentity: Hashable, Sendable {
    var pid: pid_t
    /// When it started, in clock ticks since the machine did (proc_pid_stat(5), field 22).
    var startTime: UInt64
}

/// What /proc knows about a process now.
struct ProcessEntry: Sendable {
    var identity: ProcessIdentity
    var parent: pid_t
    var group: pid_t
    var session: pid_t
    /// Zombies are gone; their parent just has not noticed.
    var isZombie: Bool
}

/// The machine's processes, read from /proc.
enum ProcessTable {
    /// Every process that has not ended.
    static func all() -> [ProcessEntry] {
        FolderListing.names(of: "/proc").compactMap { pid_t($0) }.compactMap { entry(of: $0) }.filter { !$0.isZombie }
    }

    /// The process with this number; nil if there is none.
    static func entry(of pid: pid_t) -> ProcessEntry? {
        guard let stat = SmallFile.read("/proc/\(pid)/stat") else { return nil }
        return parse(stat: stat, pid: pid)
    }

    /// Whether this very process, not a later one with its number, is still there.
    static func isAlive(_ identity: ProcessIdentity) -> Bool {
        guard let entry = entry(of: identity.pid) else { return false }
        return entry.identity == identity && !entry.isZombie
    }

    /// Reads a line of proc_pid_stat(5). The command's name, in parentheses, may itself contain anything.
    static func parse(stat: [UInt8], pid: pid_t) -> ProcessEntry? {
        guard let close = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = stat[stat.index(after: close)...].split { $0 == 0x20 || $0 == 0x0A }
            .map { String(decoding: $0, as: UTF8.self) }
        // The first of these is field 3.
        guard fields.count > 19, let parent = pid_t(fields[1]), let group = pid_t(fields[2]),
            let session = pid_t(fields[3]), let startTime = UInt64(fields[19])
        else { return nil }
        return ProcessEntry(
            identity: ProcessIdentity(pid: pid, startTime: startTime), parent: parent, group: group, session: session,
            isZombie: fields[0] == "Z" || fields[0] == "X")
    }

    /// Whether the environment that the process was started with has this `NAME=value`.
    ///
    /// Another user's environment cannot be read; such a process is not ours to end either.
    static func hasEnvironment(_ assignment: String, _ pid: pid_t) -> Bool {
        guard let bytes = SmallFile.read("/proc/\(pid)/environ", limit: 1 << 20) else { return false }
        let wanted = Array(assignment.utf8)
        return bytes.split(separator: 0).contains { $0.elementsEqual(wanted) }
    }

    /// Names this boot of the machine: process numbers and start times are comparable within it only.
    static func bootID() -> String {
        let bytes = SmallFile.read("/proc/sys/kernel/random/boot_id") ?? []
        return String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
    }
}

/// The processes of one run of one session (or of a whole router that is gone), wherever they hid.
///
/// Shells on a pseudo-terminal lead sessions of their own, and daemons leave their parents; so a process belongs here
/// if it carries the mark in its environment, is in the leader's group or session, or descends from one that does.
struct ProcessFamily: Sendable {
    /// `NAME=value` in the environment that every process of the family inherits.
    var mark: String
    /// The process that was started first, if it is known: it led a group and a session.
    var leader: ProcessIdentity?

    /// The members that are alive now, this process never among them.
    func members() -> [ProcessEntry] {
        let all = ProcessTable.all()
        let own = getpid()
        var members: Set<pid_t> = []
        // A number is not given to a new process while a group or session still bears it; but once all are gone it
        // may be, so the leader's number counts only if whoever has it now is the leader, or if nobody has it.
        let holder = leader.flatMap { leader in all.first { $0.identity.pid == leader.pid } }
        let groupIsOurs = leader != nil && (holder == nil || holder?.identity == leader)
        for entry in all {
            let isInGroup =
                groupIsOurs && leader.map { entry.group == $0.pid || entry.session == $0.pid } ?? false
            if isInGroup || ProcessTable.hasEnvironment(mark, entry.identity.pid) {
                members.insert(entry.identity.pid)
            }
        }
        var grew = !members.isEmpty
        while grew {
            grew = false
            for entry in all where members.contains(entry.parent) && !members.contains(entry.identity.pid) {
                grew = members.insert(entry.identity.pid).inserted || grew
            }
        }
        return all.filter { members.contains($0.identity.pid) && $0.identity.pid != own && $0.identity.pid != 1 }
    }

    /// Sends a signal to every member; returns how many there were.
    @discardableResult
    func signal(_ signal: CInt) -> Int {
        let members = members()
        for member in members where ProcessTable.isAlive(member.identity) { kill(member.identity.pid, signal) }
        return members.count
    }

    /// Kills until nobody is left; false if somebody still is after `attempts` rounds of 20 ms.
    ///
    /// More than one round, because a member may fork between being listed and being killed.
    func killAll(attempts: Int = 250) async -> Bool {
        for attempt in 0..<attempts {
            if signal(SIGKILL) == 0 { return true }
            // A killed process takes a moment to go; the first look again comes at once.
            try? await Task.sleep(for: .milliseconds(attempt == 0 ? 1 : 20))
        }
        return members().isEmpty
    }
}
