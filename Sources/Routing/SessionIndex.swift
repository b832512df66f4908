/// Sessions by id: an open-addressed table that is made once and only read.
///
/// An id is twelve digits of a digest, so it is its own hash; a dictionary would spend several hundred instructions on
/// hashing it again. Half of the slots stay empty, so a search ends after a step or two.
struct SessionIndex: Sendable {
    /// The sessions in no order; their ids differ.
    let sessions: [SessionRoute]
    /// One more than the place in `sessions`; 0 is an empty slot.
    private let slots: [UInt32]
    private let mask: UInt64

    init(_ sessions: [SessionRoute]) {
        var size = 2
        while size < sessions.count * 2 { size *= 2 }
        var slots = [UInt32](repeating: 0, count: size)
        let mask = UInt64(size - 1)
        for (place, session) in sessions.enumerated() {
            var slot = Self.slot(session.id, mask)
            while slots[slot] != 0 { slot = (slot + 1) & Int(mask) }
            slots[slot] = UInt32(place + 1)
        }
        self.sessions = sessions
        self.slots = slots
        self.mask = mask
    }

    subscript(id: UInt64) -> SessionRoute? {
        var slot = Self.slot(id, mask)
        while slots[slot] != 0 {
            let session = sessions[Int(slots[slot]) - 1]
            if session.id == id { return session }
            slot = (slot + 1) & Int(mask)
        }
        return nil
    }

    private static func slot(_ id: UInt64, _ mask: UInt64) -> Int {
        // Fixed ids of development (`aaaaaaaaaaaa`, `000000000001`) are no digests: fold the upper digits in.
        Int(truncatingIfNeeded: (id ^ id >> 24) & mask)
    }
}
