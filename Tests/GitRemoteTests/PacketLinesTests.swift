import GitRemote
import Testing

/// All packets of a stream that arrives in the given pieces.
func packets(_ pieces: [[UInt8]]) throws(PacketProblem) -> [Packet] {
    var lines = PacketLines()
    var all: [Packet] = []
    for piece in pieces {
        lines.append(piece)
        while let packet = try lines.next() { all.append(packet) }
    }
    try lines.finish()
    return all
}

@Suite("pkt-lines")
struct PacketLinesTests {
    private static let stream = "001e# service=git-upload-pack\n00000006a\n00040001000b0123456"
    private static let expected: [Packet] = [
        .data(Array("# service=git-upload-pack\n".utf8)), .flush, .data(Array("a\n".utf8)), .data([]), .delimiter,
        .data(Array("0123456".utf8)),
    ]

    @Test("A stream gives the same packets however it is cut")
    func splits() throws {
        let bytes = Array(Self.stream.utf8)
        #expect(try packets([bytes]) == Self.expected)
        #expect(try packets(bytes.map { [$0] }) == Self.expected)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let pieces = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
                #expect(try packets(pieces) == Self.expected)
            }
        }
    }

    @Test(
        "What is no packet is refused as soon as it shows",
        arguments: [
            ("0003", PacketProblem.malformedLength), ("000g", .malformedLength), ("g", .malformedLength),
            ("-001", .malformedLength), ("+004", .malformedLength), (" 004", .malformedLength),
            ("0x04", .malformedLength),
            ("HTTP", .malformedLength), ("<!doctype", .malformedLength), ("ffff", .tooLong), ("fff1", .tooLong),
            ("0", .truncated), ("0005", .truncated), ("0006a", .truncated), ("00000", .truncated),
        ])
    func refused(text: String, problem: PacketProblem) {
        #expect(throws: problem) { try packets([Array(text.utf8)]) }
        #expect(throws: problem) { try packets(text.utf8.map { [$0] }) }
    }

    @Test("The longest packet passes, and lengths are read in either case")
    func longest() throws {
        let payload = [UInt8](repeating: 0x78, count: PacketLines.maximumLength - 4)
        #expect(try packets([Array("fff0".utf8) + payload]) == [.data(payload)])
        #expect(try packets([Array("FFF0".utf8) + payload]) == [.data(payload)])
    }

    @Test(
        "What is written can be read", arguments: ["", "a", "command=ls-refs\n", String(repeating: "x", count: 4000)])
    func written(text: String) throws {
        #expect(try packets([PacketLines.line(text)]) == [.data(Array(text.utf8))])
    }

    @Test("Random bytes never crash, and never give more than they hold")
    func random() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("0123456789abcdefF\n\0 x".utf8)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0..<200, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator)!
            }
            guard let all = try? packets([bytes]) else { continue }
            let held = all.reduce(0) { sum, packet in
                if case .data(let payload) = packet { sum + payload.count + 4 } else { sum + 4 }
            }
            #expect(held == bytes.count)
        }
    }
}
