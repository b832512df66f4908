import FoundationEssentials
import Testing

@testable import opencode_router

@Suite("Reference")
struct ReferenceTests {
    /// The repository's folder, three above this file.
    static let root: String = {
        var path: String = #filePath
        for _ in 0..<3 { path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }
        return path
    }()

    @Test("docs/configuration.md is what the declarations say; `make docs` writes it")
    func page() throws {
        let page = try String(contentsOfFile: Self.root + "/docs/configuration.md", encoding: .utf8)
        #expect(page == SettingReference.markdown)
    }

    @Test("docs/opencode-router.1 is what the declarations say; `make docs` writes it")
    func manual() throws {
        let page = try String(contentsOfFile: Self.root + "/docs/opencode-router.1", encoding: .utf8)
        #expect(page == ManualPage.text)
    }

    @Test("The help names every setting and every flag, in less than 80 columns")
    func help() {
        for catalogue in [SettingCatalogue.router, .cloudflareOperator] {
            let help = SettingReference.help(catalogue)
            for declaration in catalogue.all {
                #expect(help.contains("\(declaration.flag), \(declaration.name)\n"))
            }
            // The first lines are the sentence above the list, which the printer wraps.
            let lines: [Substring] = help.split(whereSeparator: { $0 == "\n" })
            let long = lines.dropFirst().filter { $0.count >= 80 }
            #expect(long.isEmpty)
        }
    }
}
