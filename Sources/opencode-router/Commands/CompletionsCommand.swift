internal import ArgumentParser

/// `opencode-router completions bash`: what a shell needs to complete commands and every setting.
struct CompletionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions", abstract: "Print a completion script for bash, zsh or fish.",
        discussion: """
            bash: opencode-router completions bash > /usr/share/bash-completion/completions/opencode-router
            zsh: opencode-router completions zsh > "${fpath[1]}/_opencode-router"
            fish: opencode-router completions fish > ~/.config/fish/completions/opencode-router.fish
            """)

    /// The shells that there are scripts for.
    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish
    }

    @Argument(help: "bash, zsh or fish.") var shell: Shell

    func run() {
        print(CompletionScript.text(for: shell), terminator: "")
    }
}
