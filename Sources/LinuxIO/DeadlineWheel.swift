/// The waiters of one loop by the time at which they want to be woken, in slots of 32 ms.
///
/// Moving a deadline later is one store: the waiter stays in its slot and is looked at again when that comes up.
/// Only a first or an earlier deadline is an insertion. All operations are O(1).
struct DeadlineWheel {
    private static let slotBits: UInt64 = 5
    private static let slotCount = 512

    private var slots: [[Unmanaged<Waiter>]] = Array(repeating: [], count: slotCount)
    /// One bit a slot, so that the next occupied one is found without touching the empty ones.
    private var occupied: [UInt64] = Array(repeating: 0, count: slotCount / 64)
    /// The first tick not yet looked at.
    private var cursor: UInt64
    private(set) var count = 0

    init(now: Deadline) { cursor = now.milliseconds >> Self.slotBits }

    /// Puts a waiter where its deadline falls, or as far ahead as the wheel reaches.
    mutating func insert(_ waiter: Waiter) {
        // Rounded up: a deadline never fires early.
        let due = (waiter.deadline.milliseconds >> Self.slotBits) &+ 1
        let tick = min(max(due, cursor), cursor + UInt64(Self.slotCount) - 1)
        let slot = Int(tick % UInt64(Self.slotCount))
        waiter.wheelTick = tick
        waiter.wheelIndex = slots[slot].count
        slots[slot].append(Unmanaged.passUnretained(waiter))
        occupied[slot >> 6] |= 1 << UInt64(slot & 63)
        count += 1
    }

    mutating func remove(_ waiter: Waiter) {
        guard waiter.wheelIndex >= 0 else { return }
        let slot = Int(waiter.wheelTick % UInt64(Self.slotCount))
        let last = slots[slot].removeLast()
        let lastWaiter = last._withUnsafeGuaranteedRef { $0 }
        if lastWaiter !== waiter {
            slots[slot][waiter.wheelIndex] = last
            lastWaiter.wheelIndex = waiter.wheelIndex
        }
        if slots[slot].isEmpty { occupied[slot >> 6] &= ~(1 << UInt64(slot & 63)) }
        waiter.wheelIndex = -1
        count -= 1
    }

    /// Wakes everyone whose deadline has passed and re-inserts those who moved theirs.
    mutating func advance(to now: Deadline) {
        let nowTick = now.milliseconds >> Self.slotBits
        guard nowTick >= cursor else { return }
        if count == 0 {
            cursor = nowTick + 1
            return
        }
        let last = min(nowTick, cursor + UInt64(Self.slotCount) - 1)
        var tick = cursor
        // Everything re-inserted below lands after `last`, so no slot is looked at twice.
        cursor = nowTick + 1
        while tick <= last {
            let slot = Int(tick % UInt64(Self.slotCount))
            if !slots[slot].isEmpty {
                let due = slots[slot]
                slots[slot].removeAll(keepingCapacity: due.count <= 64)
                occupied[slot >> 6] &= ~(1 << UInt64(slot & 63))
                count -= due.count
                for reference in due {
                    let waiter = reference._withUnsafeGuaranteedRef { $0 }
                    waiter.wheelIndex = -1
                    if waiter.deadline <= now {
                        waiter.deadlinePassed()
                    } else if waiter.deadline != .never {
                        insert(waiter)
                    }
                }
            }
            tick += 1
        }
    }

    /// Milliseconds until the next occupied slot is due, -1 if none is.
    func timeout(from now: Deadline) -> Int32 {
        guard count > 0 else { return -1 }
        var slot = Int(cursor % UInt64(Self.slotCount))
        var tick = cursor
        let end = cursor + UInt64(Self.slotCount)
        while tick < end {
            let word = occupied[slot >> 6] >> UInt64(slot & 63)
            if word != 0 {
                tick += UInt64(word.trailingZeroBitCount)
                let due = tick << Self.slotBits
                return due <= now.milliseconds ? 0 : Int32(min(due - now.milliseconds, 60_000))
            }
            let skip = 64 - (slot & 63)
            tick += UInt64(skip)
            slot = (slot + skip) % Self.slotCount
        }
        return 0
    }
}
