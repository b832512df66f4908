import Sessions
import Testing

@Suite("Names of user variables")
struct SecretNameTests {
    @Test(
        "Names that a program may expect are taken",
        arguments: ["A", "OPENAI_API_KEY", "_x", "a1", "MY_PATH", "LDAP", "GITHUB_TOKEN", "GIT_AUTHOR_NAME"])
    func taken(name: String) { #expect(SecretName.problem(with: name) == nil) }

    @Test(
        "Names that no shell takes, or that change how the session runs, are refused",
        arguments: [
            "", "1A", "A-B", "A B", "A=B", "Ä", "A\n", "PATH", "path", "LD_PRELOAD", "Ld_Library_Path", "NODE_OPTIONS",
            "BASH_ENV", "GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "OPENCODE_POD_SECRET", "KUBERNETES_SERVICE_HOST", "HOME",
            "GIT_TEMPLATE_DIR", "git_proxy_command", "GIT_SSL_NO_VERIFY", "SHELLOPTS",
        ])
    func refused(name: String) { #expect(SecretName.problem(with: name) != nil) }
}
