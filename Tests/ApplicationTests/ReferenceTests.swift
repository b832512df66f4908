import FoundationEssentials
import Testing

@testable import opencode_router

@Suite("Reference")
struct ReferenceTests {
    /// The repository's folder, three above this file.
    static let root = #filePath.split(separator: Character("/"), omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")

    @Test("docs/configuration.md is what the declarations say; `make docs` writes it")
    func page() throws {
        let page = try String(contentsOfFile: Self.root + "/docs/configuration.md", encoding: .utf8)
        #expect(page == SettingReference.markdown)
    }

    @Test("The help names every setting and every flag, in 80 columns")
    func help() {
        let help = SettingReference.help
        for declaration in SettingTable.all {
            #expect(help.contains("\(declaration.flag), \(declaration.name)\n"))
        }
        let long = help.split(separator: Character("\n")).dropFirst().filter { $0.count > 80 }
        #expect(long.isEmpty)
    }
}
