import Sessions
import Testing

@Suite("Which servers a token belongs to")
struct TokenHostsTests {
    @Test(
        "A server is read with the user that goes with its tokens",
        arguments: [
            ("github.com", "https://github.com", "x-access-token"),
            ("GitHub.com:443", "https://github.com", "x-access-token"),
            ("gitlab.com", "https://gitlab.com", "oauth2"), ("git.example:8443", "https://git.example:8443", "oauth2"),
            ("x-token-auth@bitbucket.org", "https://bitbucket.org", "x-token-auth"),
        ])
    func reading(text: String, origin: String, user: String) {
        #expect(TokenHosts([text])?.entries == [TokenHosts.Entry(origin: origin, user: user)])
    }

    @Test(
        "What is no server is refused",
        arguments: [
            "", "@github.com", "a@b@github.com", "https://github.com", "github.com/x", "a b", "-x.example", "*.example",
            "x\ny", "ä.example", "a:b@github.com/",
        ])
    func refusal(text: String) { #expect(TokenHosts(["github.com", text]) == nil) }

    @Test(
        "A server that is not named, or is not spoken to by https, gets no token",
        arguments: [
            ("https", "github.com", true), ("https", "GITHUB.COM", true), ("https", "github.com:443", true),
            ("http", "github.com", false), ("HTTPS", "github.com", false), ("https", "github.com.", false),
            ("https", "github.com:8443", false), ("https", "evil.example", false), ("https", "github.com@evil", false),
            ("https", "github.com\n", false), ("", "github.com", false), ("https", "", false),
        ])
    func lookup(scheme: String, host: String, isTold: Bool) {
        #expect((TokenHosts.github.user(scheme: scheme, host: host) != nil) == isTold)
    }

    @Test("A token is one visible word", arguments: ["", "a b", "a\nb", "a\r", "ä", "\u{7F}", "a, b"])
    func words(text: String) {
        #expect(!TokenHosts.isToken(text))
        #expect(TokenHosts.isToken("gho_16C7e42F292c6912E7"))
    }
}
