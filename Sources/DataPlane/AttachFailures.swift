internal import Identity

/// Wrong attach passwords of the last minute, by session and peer; one table per worker, so that nobody waits for it.
///
/// Bounded, and never in the way of anybody who makes no mistakes: only failures are counted. After `allowed` of them
/// within a minute that peer is refused unheard for that session until the minute is over. The password has 128 bits; what
/// this keeps down is noise, and what somebody could hope for who knows part of one.
final class AttachFailures {
    private struct Slot {
        var key: UInt64 = 0
        var count: UInt32 = 0
        var began: UInt64 = 0
    }

    static let allowed: UInt32 = 10
    static let window: UInt64 = 60_000
    private static let sets = 256
    private static let ways = 4

    private var slots = [Slot](repeating: Slot(), count: sets * ways)
    /// Keeps others from choosing pairs that share a place.
    private let seed = UInt64.random(in: .min ... .max)

    /// For how many more seconds the peer is refused; nil if it is not.
    func secondsBlocked(_ session: UInt64, _ peer: PeerAddress, at milliseconds: UInt64) -> Int? {
        let key = key(session, peer)
        for index in places(of: key) where slots[index].key == key && slots[index].count >= Self.allowed {
            let passed = milliseconds &- slots[index].began
            if passed < Self.window { return Int((Self.window - passed + 999) / 1000) }
        }
        return nil
    }

    /// Counts a wrong password.
    func note(_ session: UInt64, _ peer: PeerAddress, at milliseconds: UInt64) {
        let key = key(session, peer)
        let places = places(of: key)
        // Its own place, else one that is free or whose minute is over, else the one that has failed least.
        var chosen = places.lowerBound
        var best = UInt64.max
        for index in places {
            let slot = slots[index]
            if slot.key == key, slot.count > 0 {
                chosen = index
                break
            }
            let weight = slot.count == 0 || milliseconds &- slot.began >= Self.window ? 0 : UInt64(slot.count)
            if weight < best {
                best = weight
                chosen = index
            }
        }
        if slots[chosen].key == key, slots[chosen].count > 0, milliseconds &- slots[chosen].began < Self.window {
            slots[chosen].count += 1
        } else {
            slots[chosen] = Slot(key: key, count: 1, began: milliseconds)
        }
    }

    private func places(of key: UInt64) -> Range<Int> {
        let first = Int(key >> 32) % Self.sets * Self.ways
        return first..<first + Self.ways
    }

    /// An IPv6 subscriber has a whole network, so only its first half counts.
    private func key(_ session: UInt64, _ peer: PeerAddress) -> UInt64 {
        mixed(mixed(seed &+ session) &+ (peer.isIPv4 ? peer.low : peer.high))
    }

    /// The finaliser of splitmix64: every bit of the input reaches every bit of the result.
    private func mixed(_ number: UInt64) -> UInt64 {
        var hash = number &+ 0x9e37_79b9_7f4a_7c15
        hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
        return hash ^ hash >> 31
    }
}
