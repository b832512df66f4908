import Glibc
import Synchronization

/// One thread that runs an actor's jobs in order, so that the actor may call the file system without stalling others.
///
/// The cooperative pool has one thread per core; a disk that answers slowly must not take one away from everybody.
final class ThreadExecutor: SerialExecutor {
    private struct Queue {
        var jobs: [UnownedJob] = []
        var isStopped = false
    }
    private let queue = Mutex(Queue())
    /// Counts queued jobs; a C object, because a thread that holds no Swift task can only wait in the kernel. The
    /// kernel's semaphores may be used from any thread; the pointer never changes.
    private nonisolated(unsafe) let ready: UnsafeMutablePointer<sem_t>

    /// Starts the thread.
    init() {
        ready = .allocate(capacity: 1)
        sem_init(ready, 0, 0)
        startThread { [self] in work() }
    }

    deinit {
        sem_destroy(ready)
        ready.deallocate()
    }

    func enqueue(_ job: UnownedJob) {
        queue.withLock { $0.jobs.append(job) }
        sem_post(ready)
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// Lets the thread end after the jobs that are queued; for the actor's `deinit`.
    func stop() {
        queue.withLock { $0.isStopped = true }
        sem_post(ready)
    }

    private func work() {
        while true {
            while sem_wait(ready) != 0 {}
            let (jobs, isStopped) = queue.withLock { queue in
                defer { queue.jobs = [] }
                return (queue.jobs, queue.isStopped)
            }
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
            if isStopped { return }
        }
    }
}

/// Runs a call that may block for long (a resolver, a big deletion) on a thread made for it.
func onOwnThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
        startThread { continuation.resume(returning: body()) }
    }
}

/// Starts a detached thread.
private func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let box = Unmanaged.passRetained(Box(body))
    var thread = pthread_t()
    let error = pthread_create(
        &thread, nil,
        { argument in
            Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
    guard error == 0 else {
        // No thread can be had: slower for everybody else, but still right.
        box.takeRetainedValue().body()
        return
    }
    pthread_detach(thread)
}
