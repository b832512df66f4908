internal import CLinuxIO
internal import Glibc
internal import Synchronization

/// An epoll loop that is a Swift executor: jobs and kernel events take turns on one thread.
///
/// It is the serial executor of its `Loop` actor and the task executor of the tasks on it. It must be both: a
/// continuation resumed inside a task without the preference would travel through the global pool and back.
///
/// Unchecked: everything but `mailbox` is touched by the loop's thread only.
public final class LoopExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
    private struct Slot {
        var generation: UInt32
        var source: Unmanaged<EventSource>?
    }

    /// What other threads left for this loop.
    private struct Mailbox {
        var jobs: [UnownedJob] = []
        var posts: [@Sendable () -> Void] = []
        var isSignalled = false
        var isStopped = false
    }

    private let epoll: CInt
    private let wakeUp: CInt
    private let mailbox = Mutex(Mailbox())
    private var thread = pthread_t()

    private var ready = JobRing()
    private var slots: ContiguousArray<Slot> = []
    private var freeSlots: [UInt32] = []
    var wheel: DeadlineWheel
    private var outbox = Outbox()
    /// Who has made way for one turn.
    private var yielded: ContiguousArray<UnsafeContinuation<Void, Never>> = []

    /// The monotonic clock as of this turn of the loop.
    public private(set) var now: Deadline
    /// Monotonic microseconds at which this turn of the loop began: what it found had happened by then.
    public private(set) var turnStart: UInt64 = .max
    /// Buffers lent to the connections of this loop.
    public let buffers = BufferPool()
    /// Pipes lent to the transfers of this loop.
    public let pipes = PipePool()
    /// Jobs and posts that came from other threads, for the test that counts executor hops.
    public private(set) var crossings: UInt64 = 0
    /// Times that the loop came back from the kernel.
    public private(set) var turns: UInt64 = 0
    /// The longest turn between two looks at the kernel since last asked, in microseconds; the loop's lag.
    public private(set) var longestTurn: UInt64 = 0

    /// Starts the thread.
    public init(name: String) throws(IOError) {
        epoll = try check("epoll_create1", clinuxio_epoll_create())
        wakeUp = try check("eventfd", clinuxio_eventfd())
        now = .current()
        wheel = DeadlineWheel(now: now)
        try check("epoll_ctl", clinuxio_epoll_add(epoll, wakeUp, EPOLLIN.rawValue, .max))
        let retained = Unmanaged.passRetained(self)
        let result = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<LoopExecutor>.fromOpaque(argument!).takeRetainedValue().run()
                // Nobody waits for its end; only now, so that no later thread has this one's number while it runs.
                pthread_detach(pthread_self())
                return nil
            }, retained.toOpaque())
        guard result == 0 else {
            retained.release()
            throw .system(call: "pthread_create", Errno(code: result))
        }
        _ = clinuxio_name_thread(thread, name)
    }

    deinit {
        close(epoll)
        close(wakeUp)
    }

    /// Whether the caller is on this loop's thread.
    public var isCurrent: Bool { pthread_equal(pthread_self(), thread) != 0 }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            ready.append(job)
        } else {
            deliver { $0.jobs.append(job) }
        }
    }

    /// Runs `body` on the loop's thread soon, after what was posted before.
    public func post(_ body: @escaping @Sendable () -> Void) {
        deliver { $0.posts.append(body) }
    }

    /// Ends the loop's thread after its present turn; what still waits on this loop waits for ever.
    public func stop() {
        deliver { $0.isStopped = true }
    }

    private func deliver(_ put: (inout Mailbox) -> Void) {
        let mustSignal = mailbox.withLock { mailbox in
            put(&mailbox)
            defer { mailbox.isSignalled = true }
            return !mailbox.isSignalled
        }
        if mustSignal { _ = clinuxio_eventfd_signal(wakeUp) }
    }

    public func checkIsolated() { precondition(isCurrent, "not on the loop's thread") }

    // MARK: Sources

    /// Puts a source under epoll; edge-triggered, so readiness is reported once and latched by the source.
    func register(_ source: EventSource, descriptor: CInt, events: UInt32) throws(IOError) {
        let index: UInt32
        if let free = freeSlots.popLast() {
            index = free
        } else {
            index = UInt32(slots.count)
            slots.append(Slot(generation: 0, source: nil))
        }
        let token = UInt64(slots[Int(index)].generation) << 32 | UInt64(index)
        let result = clinuxio_epoll_add(epoll, descriptor, events, token)
        guard result >= 0 else {
            freeSlots.append(index)
            throw .system(call: "epoll_ctl", Errno(negated: Int(result)))
        }
        slots[Int(index)].source = Unmanaged.passUnretained(source)
        source.token = token
    }

    func modify(_ source: EventSource, descriptor: CInt, events: UInt32) {
        let result = clinuxio_epoll_modify(epoll, descriptor, events, source.token)
        precondition(result >= 0, "epoll_ctl on a registered descriptor")
    }

    /// Forgets a source before its descriptor is closed; events already fetched for it are dropped by generation.
    ///
    /// Closing takes the descriptor out of epoll (epoll(7)). Should a child that was just forked still hold the open
    /// file until its exec, an event may come late; it is dropped by generation, too. So no call is spent on it.
    func unregister(_ source: EventSource) {
        let index = Int(source.token & 0xffff_ffff)
        slots[index].source = nil
        slots[index].generation &+= 1
        freeSlots.append(UInt32(index))
    }

    /// Resumes a task behind all that becomes ready with the loop's next look at the kernel.
    func resumeNextTurn(_ continuation: UnsafeContinuation<Void, Never>) { yielded.append(continuation) }

    /// Keeps a source's message until the end of this turn; false if it is too long for that.
    func post(_ bytes: UnsafeRawBufferPointer, of source: EventSource) -> Bool {
        guard bytes.count <= Outbox.longest else { return false }
        if outbox.append(bytes, of: source.token) { return true }
        sendPosted()
        return outbox.append(bytes, of: source.token)
    }

    /// Sends what was posted in this turn; what a source posted that is closed by now is dropped.
    func sendPosted() {
        guard !outbox.isEmpty else { return }
        outbox.empty { token, bytes in
            let slot = slots[Int(token & 0xffff_ffff)]
            guard slot.generation == UInt32(token >> 32), let source = slot.source else { return }
            source._withUnsafeGuaranteedRef { $0.sendPosted(bytes) }
        }
    }

    // MARK: The loop

    private func run() {
        Self.blockBrokenPipeSignal()
        let capacity = 256
        let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: capacity)
        defer { events.deallocate() }
        var fullBatches = 0
        while true {
            runReadyJobs()
            sendPosted()
            let timeout = ready.isEmpty && yielded.isEmpty ? wheel.timeout(from: now) : 0
            let before = Self.microseconds()
            if before > turnStart { longestTurn = max(longestTurn, before - turnStart) }
            let count = clinuxio_epoll_wait(epoll, events, CInt(capacity), timeout)
            turnStart = Self.microseconds()
            turns &+= 1
            now = Deadline(milliseconds: turnStart / 1000)
            if count > 0 {
                for index in 0..<Int(count) {
                    let token = clinuxio_epoll_token(events + index)
                    if token == .max {
                        if !takeMail() { return sendPosted() }
                        continue
                    }
                    let slot = slots[Int(token & 0xffff_ffff)]
                    guard slot.generation == UInt32(token >> 32), let source = slot.source else { continue }
                    source._withUnsafeGuaranteedRef { $0.report(clinuxio_epoll_events(events + index)) }
                }
            }
            if !yielded.isEmpty {
                for continuation in yielded { continuation.resume() }
                yielded.removeAll(keepingCapacity: true)
            }
            // Behind a full batch there may be more, and in it what somebody's deadline is about: a loop that was late must
            // not blame whoever was in time. The kernel reports in the order of arrival, so that what has come by now is
            // told after as many batches as all sources fill; a loop that never catches up has deadlines, too.
            if count == CInt(capacity), fullBatches <= slots.count / capacity {
                fullBatches += 1
                continue
            }
            fullBatches = 0
            wheel.advance(to: now)
        }
    }

    /// splice(2) into a socket whose peer has gone raises SIGPIPE, knows no MSG_NOSIGNAL, and would end the process.
    ///
    /// Blocked on this thread only: an ignored signal would be inherited by every program that the process starts.
    private static func blockBrokenPipeSignal() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        let result = pthread_sigmask(SIG_BLOCK, &signals, nil)
        precondition(result == 0, "pthread_sigmask")
    }

    private static func microseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }

    /// The longest turn since the last call, in microseconds.
    public func takeLongestTurn() -> UInt64 {
        defer { longestTurn = 0 }
        return longestTurn
    }

    /// Runs what is ready now; jobs that become ready meanwhile wait for the kernel's news first, so that a task that
    /// always has something to do cannot starve the others.
    private func runReadyJobs() {
        let serial = asUnownedSerialExecutor()
        let task = asUnownedTaskExecutor()
        for _ in 0..<ready.count {
            ready.removeFirst().runSynchronously(isolatedTo: serial, taskExecutor: task)
        }
    }

    private func takeMail() -> Bool {
        _ = clinuxio_eventfd_clear(wakeUp)
        var jobs: [UnownedJob] = []
        var posts: [@Sendable () -> Void] = []
        let isStopped = mailbox.withLock { mailbox in
            swap(&jobs, &mailbox.jobs)
            swap(&posts, &mailbox.posts)
            mailbox.isSignalled = false
            return mailbox.isStopped
        }
        crossings += UInt64(jobs.count + posts.count)
        for job in jobs { ready.append(job) }
        for post in posts { post() }
        return !isStopped
    }
}

/// Something under epoll.
public class EventSource {
    /// Slot and generation; see `LoopExecutor.register`.
    var token: UInt64 = 0

    init() {}

    /// Takes note of an edge; runs on the loop's thread and must not suspend.
    func report(_ events: UInt32) { fatalError("abstract") }

    /// Sends what it has posted; runs on the loop's thread and must not suspend.
    func sendPosted(_ bytes: UnsafeRawBufferPointer) { fatalError("abstract") }
}

/// A queue of jobs that reuses its storage.
private struct JobRing {
    private var storage: [UnownedJob?] = Array(repeating: nil, count: 256)
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ job: UnownedJob) {
        if count == storage.count {
            storage =
                (0..<count).map { storage[(head + $0) & (storage.count - 1)] }
                + Array(repeating: nil, count: count)
            head = 0
        }
        storage[(head + count) & (storage.count - 1)] = job
        count += 1
    }

    mutating func removeFirst() -> UnownedJob {
        let job = storage[head]!
        head = (head + 1) & (storage.count - 1)
        count -= 1
        return job
    }
}
