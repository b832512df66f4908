// What holds for every stream of git packets, whatever its bytes; tried by the fuzz target and, through a symbolic link,
// by unit tests.
#if canImport(GitRemote)
    import GitRemote
#endif

/// A property of the packet readers that an input broke.
struct PacketViolation: Error, CustomStringConvertible {
    var description: String
}

/// What a stream means, cut into pieces of `size` bytes: the packets, the advertisement and the list made of them, and
/// what was wrong with each.
private func reading(_ input: [UInt8], pieces size: Int) -> [String] {
    var lines = PacketLines()
    var packets: [Packet] = []
    var problem = ""
    do throws(PacketProblem) {
        var rest = input[...]
        while !rest.isEmpty {
            lines.append(rest.prefix(size))
            rest = rest.dropFirst(size)
            while let packet = try lines.next() { packets.append(packet) }
        }
        try lines.finish()
    } catch {
        problem = "\(error)"
    }
    var advertisement = RefAdvertisement(maximumReferences: 20)
    var list = ReferenceList(maximumReferences: 20)
    var found = ["\(packets) \(problem)"]
    do throws(AdvertisementProblem) {
        for packet in packets { try advertisement.consume(packet) }
        found.append(
            "\(advertisement.branches) \(advertisement.isComplete) \(String(describing: advertisement.capabilities))")
    } catch {
        found.append("\(error)")
    }
    do throws(AdvertisementProblem) {
        for packet in packets { try list.consume(packet) }
        found.append("\(list.branches) \(list.isComplete)")
    } catch {
        found.append("\(error)")
    }
    return found
}

/// The same stream means the same however it is cut, packets hold exactly its bytes, and every branch that comes out is
/// one that git would take.
func checkPackets(_ input: UnsafeRawBufferPointer) throws {
    let bytes = Array(input)
    let whole = reading(bytes, pieces: max(1, bytes.count))
    for size in [1, 3, 7] {
        let cut = reading(bytes, pieces: size)
        guard cut == whole else { throw PacketViolation(description: "cut by \(size): \(cut) instead of \(whole)") }
    }
    var lines = PacketLines()
    lines.append(bytes)
    var written: [UInt8] = []
    var advertisement = RefAdvertisement(maximumReferences: 20)
    var isUsable = true
    while let packet = try? lines.next() {
        switch packet {
        case .flush: written += Array("0000".utf8)
        case .delimiter: written += Array("0001".utf8)
        case .responseEnd: written += Array("0002".utf8)
        case .data(let payload):
            let length = String(payload.count + 4, radix: 16)
            written += Array((String(repeating: "0", count: 4 - length.count) + length).utf8) + payload
        }
        if isUsable { isUsable = (try? advertisement.consume(packet)) != nil }
    }
    // Lengths may be in upper case; everything else is the same, byte by byte.
    guard zip(written, bytes).allSatisfy({ $0 == $1 || ($0 >= 0x61 && $0 <= 0x66 && $1 == $0 - 32) }) else {
        throw PacketViolation(description: "\(bytes) came out as \(written)")
    }
    let names = advertisement.branches.names
    guard names.count <= 20, Set(names).count == names.count, names.allSatisfy(BranchName.isValid) else {
        throw PacketViolation(description: "branches \(names)")
    }
}
