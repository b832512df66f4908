import Testing

@testable import Identity

@Suite("Peers and blocks of addresses")
struct AddressRangeTests {
    @Test(
        "A block holds its first and last address, and neither neighbour",
        arguments: [
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
            ("10.42.0.0/16", "10.42.0.0", "10.42.255.255", "10.41.255.255", "10.43.0.0"),
            ("192.168.1.128/25", "192.168.1.128", "192.168.1.255", "192.168.1.127", "192.168.2.0"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.0", "127.0.0.2"),
            ("127.0.0.1/32", "127.0.0.1", "127.0.0.1", "127.0.0.0", "127.0.0.2"),
            ("255.255.255.254/31", "255.255.255.254", "255.255.255.255", "255.255.255.253", "0.0.0.0"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255", "::1", "::fffe:ffff:ffff"),
            ("::1", "::1", "::1", "::", "::2"),
            ("fd00::/8", "fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fcff::", "fe00::"),
            ("2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db7::", "2001:db9::"),
            ("2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::", "2001:db7::"),
            ("2001:db8::/65", "2001:db8::", "2001:db8::7fff:ffff:ffff:ffff", "2001:db8::8000:0:0:0", "10.0.0.1"),
            ("2001:db8::/63", "2001:db8::", "2001:db8:0:1:ffff::", "2001:db8:0:2::", "2001:db7::"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::1", "2001:db8::", "2001:db8::2"),
            ("::ffff:10.0.0.0/104", "10.0.0.0", "10.255.255.255", "11.0.0.0", "::10.0.0.0"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "::1"),
        ])
    func edges(text: String, first: String, last: String, before: String, after: String) throws {
        let range = try AddressRange(text)
        #expect(range.contains(try #require(PeerAddress(first))))
        #expect(range.contains(try #require(PeerAddress(last))))
        #expect(!range.contains(try #require(PeerAddress(before))))
        #expect(!range.contains(try #require(PeerAddress(after))))
        #expect(try AddressRange(range.description) == range)
    }

    @Test("The block of everything holds both families")
    func everything() throws {
        let all = try AddressRange("::/0")
        #expect(all.contains(PeerAddress("10.0.0.1")!) && all.contains(PeerAddress("ff::")!))
    }

    @Test(
        "What is no block is refused",
        arguments: [
            "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0/8", "10/8",
            "::/129", "fe80::1%eth0", "localhost", "10.0.0.256", "010.0.0.1", "10.0.0.0 /8", "[::1]", "10.0.0.1:80",
            "10.0.0.0/08x", "0x0a.0.0.1", "10.0.0.0/0008",
        ])
    func malformed(text: String) {
        #expect(throws: AddressRangeError.malformed(text)) { try AddressRange(text) }
    }

    @Test("Bits behind the prefix are told, with the block that may be meant")
    func bitsBehind() {
        #expect(throws: AddressRangeError.bitsBehindPrefix("10.42.0.1/16", network: "10.42.0.0/16")) {
            try AddressRange("10.42.0.1/16")
        }
        #expect(throws: AddressRangeError.bitsBehindPrefix("fd00::1/8", network: "fd00::/8")) {
            try AddressRange("fd00::1/8")
        }
    }

    @Test("A list is separated by commas or white space")
    func list() throws {
        #expect(try AddressRange.list("").isEmpty)
        #expect(
            try AddressRange.list(" 10.0.0.0/8, ::1 ,,127.0.0.1\n").map(\.description) == [
                "10.0.0.0/8", "::1/128", "127.0.0.1/32",
            ])
        #expect(throws: AddressRangeError.malformed("nonsense")) { try AddressRange.list("10.0.0.0/8,nonsense") }
    }

    @Test(
        "Loopback is 127/8 and ::1",
        arguments: [
            ("127.0.0.1", true), ("127.255.0.1", true), ("::1", true), ("::ffff:127.0.0.1", true), ("::", false),
            ("0.0.0.0", false), ("128.0.0.1", false), ("::127.0.0.1", false), ("10.127.0.1", false),
        ])
    func loopback(text: String, expected: Bool) throws {
        #expect(try #require(PeerAddress(text)).isLoopback == expected)
    }

    @Test("Bytes and text name the same address")
    func bytes() throws {
        let four: [UInt8] = [10, 1, 2, 3]
        #expect(four.withUnsafeBytes { PeerAddress(bytes: $0) } == PeerAddress("10.1.2.3"))
        var sixteen = [UInt8](repeating: 0, count: 16)
        sixteen[0] = 0xfd
        sixteen[15] = 9
        #expect(sixteen.withUnsafeBytes { PeerAddress(bytes: $0) } == PeerAddress("fd00::9"))
        #expect(PeerAddress("fd00::9")?.description == "fd00::9")
        #expect(PeerAddress("::ffff:10.1.2.3")?.description == "10.1.2.3")
        #expect([UInt8]().withUnsafeBytes { PeerAddress(bytes: $0) } == nil)
    }
}
