/// The settings as text for people: for `--help`, and for the reference page.
enum SettingReference {
    /// All settings for the command's `--help`.
    static func help(_ catalogue: SettingCatalogue = .router) -> String {
        var lines = [
            "Every setting is an environment variable and a flag; the flag wins. An empty value counts as not set.", "",
        ]
        for (group, declarations) in groups(catalogue) {
            lines.append(group.rawValue.uppercased() + ":")
            for declaration in declarations {
                let fallback = declaration.shownFallback
                let flags = [declaration.alias, declaration.flag].compactMap { $0 }.joined(separator: ", ")
                lines.append("  \(flags), \(declaration.name)")
                lines += wrapped(
                    "\(declaration.meaning) Expected: \(declaration.kind.accepted)."
                        + (fallback.isEmpty ? "" : " Default: \(fallback)."))
            }
            lines.append("")
        }
        return lines.joined(separator: "\n")
    }

    /// All settings as the Markdown of docs/configuration.md.
    static var markdown: String {
        var text = """
            # Configuration

            Every setting is an environment variable and a flag of `opencode-router serve`: `MAX_AGE_HOURS=8` is
            `--max-age-hours 8`. The flag wins; an empty value counts as not set. A wrong value stops the start with one
            line that names the variable, the value and what is accepted. `opencode-router check-config` prints the
            settings in force, secrets redacted, and every problem at once.

            This page is made from the declarations in `Sources/opencode-router/Settings` by `make docs`; a test keeps it
            current.

            """
        text += tables(.router)
        text += """

            # The Cloudflare operator

            `opencode-router cloudflare-operator` takes these, in the same way and with the same checks;
            [cloudflare-operator.md](cloudflare-operator.md) tells what they are for.

            """
        return text + tables(.cloudflareOperator)
    }

    /// The groups that a command has settings in.
    static func groups(_ catalogue: SettingCatalogue) -> [(SettingGroup, [SettingDeclaration])] {
        SettingGroup.allCases.compactMap { group in
            let declarations = catalogue.all.filter { $0.group == group }
            return declarations.isEmpty ? nil : (group, declarations)
        }
    }

    /// A table for each group.
    private static func tables(_ catalogue: SettingCatalogue) -> String {
        var text = ""
        for (group, declarations) in groups(catalogue) {
            text += "\n## \(group.rawValue)\n\n| variable | default | meaning |\n|---|---|---|\n"
            for declaration in declarations {
                let fallback =
                    declaration.fallbackNote ?? declaration.fallback.map { $0.isEmpty ? "empty" : "`\($0)`" }
                    ?? "not set"
                let secret = declaration.isSecret ? " Secret." : ""
                text +=
                    "| `\(declaration.name)` | \(cell(fallback)) | \(cell(declaration.meaning))\(secret) Expected:"
                    + " \(cell(declaration.kind.accepted)). |\n"
            }
        }
        return text
    }

    /// The text in lines of less than 80 columns, indented below the option's name; the help printer's own wrapping,
    /// which begins at 80, would start them at the margin.
    private static func wrapped(_ text: String) -> [String] {
        let indentation = String(repeating: " ", count: 6)
        var lines: [String] = []
        var line = indentation
        for word in text.split(separator: " ") {
            if line.count + 1 + word.count > 79 {
                lines.append(line)
                line = indentation
            }
            line += (line == indentation ? "" : " ") + word
        }
        return lines + [line]
    }

    private static func cell(_ text: String) -> String {
        text.replacing("|", with: "\\|").replacing("*", with: "\\*")
    }
}
