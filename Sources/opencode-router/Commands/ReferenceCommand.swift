internal import ArgumentParser

/// `opencode-router reference`: the pages of docs/ that the declarations make, as this binary would write them.
struct ReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference", abstract: "Print all settings as Markdown, or the manual page.",
        shouldDisplay: false)

    /// What can be printed.
    enum Page: String, ExpressibleByArgument, CaseIterable {
        case settings, manual
    }

    @Argument(help: "settings: docs/configuration.md; manual: docs/opencode-router.1.") var page = Page.settings

    func run() {
        switch page {
        case .settings: print(SettingReference.markdown, terminator: "")
        case .manual: print(ManualPage.text, terminator: "")
        }
    }
}
