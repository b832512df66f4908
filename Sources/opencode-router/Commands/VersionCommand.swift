internal import ArgumentParser

/// `opencode-router version`.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    func run() {
        print("opencode-router \(Version.current)")
    }
}

/// Which release this is.
enum Version {
    /// Semantic version; release builds are tagged with it.
    static let current = "0.1.0"
    /// When it was made, as manual pages write it.
    static let date = "November 28, 2026"
}
