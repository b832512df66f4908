/// The small messages of one turn of a loop; they leave together at its end.
///
/// Sent one by one, between the work of one connection and the next, each would push the process's code out of the
/// processor's caches and the next task the kernel's. Copying a kilobyte is cheaper than that.
struct Outbox: ~Copyable {
    /// Bytes of the longest message that is worth a copy.
    static let longest = 4 << 10
    private static let capacity = 64 << 10

    /// Whose message it is, as the loop names its sources, and where it ends.
    private struct Message {
        let token: UInt64
        var end: Int
    }

    private let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.capacity, alignment: 64)
    private var messages: ContiguousArray<Message> = []
    private var used = 0

    init() { messages.reserveCapacity(256) }

    deinit { storage.deallocate() }

    var isEmpty: Bool { used == 0 }

    /// Takes a message that is not longer than `longest`; false if there is no room for it.
    mutating func append(_ bytes: UnsafeRawBufferPointer, of token: UInt64) -> Bool {
        guard storage.count - used >= bytes.count, let source = bytes.baseAddress else { return false }
        storage.baseAddress!.advanced(by: used).copyMemory(from: source, byteCount: bytes.count)
        used += bytes.count
        if let last = messages.indices.last, messages[last].token == token {
            messages[last].end = used
        } else {
            messages.append(Message(token: token, end: used))
        }
        return true
    }

    /// Hands out all messages in the order they came, and is empty afterwards; `body` must not append.
    mutating func empty(_ body: (UInt64, UnsafeRawBufferPointer) -> Void) {
        var start = 0
        for message in messages {
            body(message.token, UnsafeRawBufferPointer(rebasing: storage[start..<message.end]))
            start = message.end
        }
        messages.removeAll(keepingCapacity: true)
        used = 0
    }
}
