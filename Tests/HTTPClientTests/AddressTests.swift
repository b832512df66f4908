import HTTPClient
import Testing

@Suite("Addresses")
struct AddressTests {
    private static let table: [(String, AddressScope)] = [
        ("8.8.8.8", .global), ("140.82.121.4", .global), ("1.1.1.1", .global),
        ("0.0.0.0", .unspecified), ("0.1.2.3", .reserved),
        ("10.0.0.0", .privateNetwork), ("10.255.255.255", .privateNetwork), ("11.0.0.0", .global),
        ("9.255.255.255", .global),
        ("100.63.255.255", .global), ("100.64.0.0", .sharedNetwork), ("100.100.100.200", .sharedNetwork),
        ("100.127.255.255", .sharedNetwork), ("100.128.0.0", .global),
        ("126.255.255.255", .global), ("127.0.0.1", .loopback), ("127.255.255.254", .loopback), ("128.0.0.0", .global),
        ("168.63.129.16", .metadata), ("168.63.129.17", .global),
        ("169.253.255.255", .global), ("169.254.0.0", .linkLocal), ("169.254.169.254", .linkLocal),
        ("169.255.0.0", .global),
        ("172.15.255.255", .global), ("172.16.0.1", .privateNetwork), ("172.31.255.255", .privateNetwork),
        ("172.32.0.0", .global),
        ("192.0.0.192", .reserved), ("192.0.1.0", .global), ("192.0.2.1", .documentation), ("192.88.99.1", .tunnel),
        ("192.167.255.255", .global), ("192.168.0.1", .privateNetwork), ("192.169.0.0", .global),
        ("198.17.255.255", .global), ("198.18.0.1", .documentation), ("198.19.255.255", .documentation),
        ("198.20.0.0", .global),
        ("198.51.100.7", .documentation), ("203.0.113.7", .documentation),
        ("223.255.255.255", .global), ("224.0.0.1", .multicast), ("239.255.255.255", .multicast),
        ("240.0.0.1", .reserved), ("255.255.255.255", .reserved),
        ("2606:50c0:8000::154", .global), ("2a00:1450:4001:82a::200e", .global), ("2001:4860:4860::8888", .global),
        ("::", .unspecified), ("::1", .loopback), ("::2", .tunnel), ("::127.0.0.1", .tunnel), ("::8.8.8.8", .tunnel),
        ("::ffff:127.0.0.1", .loopback), ("::ffff:169.254.169.254", .linkLocal), ("::ffff:10.0.0.1", .privateNetwork),
        ("::ffff:8.8.8.8", .global), ("::ffff:0:127.0.0.1", .reserved),
        ("64:ff9b::7f00:1", .loopback), ("64:ff9b::a9fe:a9fe", .linkLocal), ("64:ff9b::808:808", .global),
        ("64:ff9b:1::1", .privateNetwork), ("64:ff9b:2::1", .reserved),
        ("100::1", .reserved), ("2001::1", .tunnel), ("2001:0:4136:e378::1", .tunnel), ("2001:2::1", .documentation),
        ("2001:10::1", .reserved), ("2001:db8::1", .documentation), ("2001:200::1", .global),
        ("2002:7f00:1::", .tunnel), ("2002:808:808::", .tunnel), ("3fff:fff::1", .documentation),
        ("3fff:1000::1", .global),
        ("4000::1", .reserved), ("5f00::1", .reserved),
        ("fc00::1", .uniqueLocal), ("fd00:ec2::254", .uniqueLocal), ("fdff::1", .uniqueLocal),
        ("fe80::1", .linkLocal), ("febf::1", .linkLocal), ("fec0::1", .uniqueLocal), ("ff02::1", .multicast),
    ]

    @Test("Every special range is known for what it is", arguments: table)
    func scopes(text: String, scope: AddressScope) throws {
        #expect(try #require(IPAddress(text)).scope == scope)
    }

    @Test(
        "Policies permit what they say",
        arguments: [
            ("8.8.8.8", true, true), ("2606:50c0:8000::154", true, true), ("10.1.2.3", false, true),
            ("127.0.0.1", false, true), ("::1", false, true), ("fd00::1", false, true), ("100.64.1.1", false, true),
            ("169.254.169.254", false, false), ("fe80::1", false, false), ("168.63.129.16", false, false),
            ("0.0.0.0", false, false), ("::", false, false), ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("::ffff:169.254.169.254", false, false), ("2002:a9fe:a9fe::", false, false), ("192.0.2.1", false, false),
        ])
    func policies(text: String, publicOnly: Bool, publicAndPrivate: Bool) throws {
        let address = try #require(IPAddress(text))
        #expect(AddressPolicy.publicOnly.permits(address) == publicOnly)
        #expect(AddressPolicy.publicAndPrivate.permits(address) == publicAndPrivate)
        #expect(AddressPolicy.any.permits(address))
    }

    @Test(
        "Only exact spellings are addresses",
        arguments: [
            "127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "127.0.0.1.", " 127.0.0.1", "127.0.0.256", "1.2.3", "",
            "::1%lo", "[::1]", ":::1", "1:2:3:4:5:6:7:8:9", "fe80::g",
        ])
    func notAddresses(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(
        "An address reads as it is written", arguments: ["127.0.0.1", "::1", "2001:db8::1:2", "fe80::1", "255.0.255.0"])
    func description(text: String) throws {
        #expect(try #require(IPAddress(text)).description == text)
    }
}
