import Testing

@Suite("Properties of packet streams")
struct PacketPropertyTests {
    @Test("Generated streams mean the same however they are cut")
    func generated() throws {
        let words = [
            "0000", "0001", "0002", "0003", "0004", "0005", "001e# service=git-upload-pack\n", "000eversion 2\n",
            "000bERR no\n",
            "000cls-refs\n", "0014object-format=sha1", "003f1111111111111111111111111111111111111111 refs/heads/main\n",
            "003f1111111111111111111111111111111111111111 refs/heads/-x..y\n",
            "003F2222222222222222222222222222222222222222",
            " refs/heads/top\0symref=HEAD:refs/heads/top", "unborn HEAD symref-target:refs/heads/x", "\n", "\0", " ",
            "g", "fff0",
        ].map { Array($0.utf8) }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            let stream = (0..<Int.random(in: 0..<8, using: &generator)).flatMap { _ in
                words.randomElement(using: &generator)!
            }
            try onGuardPages(stream) { try checkPackets($0) }
        }
    }
}
