internal import LinuxIO

/// A shell on a pseudo-terminal, with the last part of its output and whoever watches it.
final class Terminal {
    let id: String
    var title: String
    let command: String
    let arguments: [String]
    let directory: String
    let device: PseudoTerminal
    let waiter: Waiter
    private(set) var output: TerminalRing
    /// Whether the shell has ended and all its output is in `output`.
    private(set) var hasEnded = false

    private var text = TextStream()
    private var input: [UInt8] = []
    private var watchers: [ObjectIdentifier: Waiter] = [:]

    private static let inputLimit = 256 << 10

    init(
        id: String, title: String, command: String, arguments: [String], directory: String, memory: Int,
        device: PseudoTerminal, waiter: Waiter
    ) {
        self.id = id
        self.title = title
        self.command = command
        self.arguments = arguments
        self.directory = directory
        self.device = device
        self.waiter = waiter
        output = TerminalRing(capacity: memory)
        device.waiter = waiter
    }

    /// Pty.Info, and how many clients watch.
    var json: JSON {
        [
            "id": .string(id), "title": .string(title), "command": .string(command),
            "args": .array(arguments.map { .string($0) }), "cwd": .string(directory),
            "status": hasEnded ? "exited" : "running", "pid": .integer(Int(device.process)),
            // Not in opencode: lets the page return to a shell that nobody looks at.
            "clients": .integer(watchers.count),
        ]
    }

    // MARK: Clients

    func watch(_ waiter: Waiter) { watchers[ObjectIdentifier(waiter)] = waiter }
    func unwatch(_ waiter: Waiter) { watchers[ObjectIdentifier(waiter)] = nil }

    /// Whether the shell reads what it is sent; if not, clients wait.
    var takesInput: Bool { input.count < Self.inputLimit }

    func type(_ bytes: [UInt8]) {
        guard !hasEnded else { return }
        input.append(contentsOf: bytes)
        waiter.wake()
    }

    // MARK: The device

    /// Carries bytes both ways until the shell ends or `hangUp` is called.
    func run() async {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 16)
        defer { room.deallocate() }
        while !hasEnded {
            let wasFull = !takesInput
            let hasRead = read(into: room)
            let hasWritten = write()
            if hasRead || (wasFull && takesInput) { wakeWatchers() }
            if hasRead || hasWritten {
                // `yes` never stops: give the others their turn.
                await Task.yield()
            } else if !hasEnded {
                _ = await waiter.wait(until: .never)
            }
        }
        wakeWatchers()
    }

    /// Ends the terminal; the kernel tells its processes.
    func hangUp() {
        device.close()
        end()
        waiter.wake()
    }

    private func end() {
        guard !hasEnded else { return }
        hasEnded = true
        output.append(text.finish())
    }

    private func wakeWatchers() { for watcher in watchers.values { watcher.wake() } }

    private func read(into room: UnsafeMutableRawBufferPointer) -> Bool {
        switch device.read(into: room) {
        case .moved(let count):
            output.append(text.receive(UnsafeRawBufferPointer(rebasing: room[..<count])))
            return true
        case .wouldBlock: return false
        case .endOfStream, .failed:
            end()
            device.close()
            return true
        }
    }

    private func write() -> Bool {
        guard !hasEnded, !input.isEmpty else { return false }
        switch input.withUnsafeBytes({ device.write($0) }) {
        case .moved(let count):
            input.removeFirst(count)
            return true
        case .wouldBlock: return false
        case .endOfStream, .failed:
            input = []
            return false
        }
    }
}
