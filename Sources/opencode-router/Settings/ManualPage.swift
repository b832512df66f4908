internal import ArgumentParser

/// The manual page opencode-router(1) in mdoc, made from the same declarations as `--help`.
enum ManualPage {
    /// The whole page.
    static var text: String {
        var page = """
            .\\" Made from the settings' declarations by "make docs".
            .Dd \(Version.date)
            .Dt OPENCODE-ROUTER 1
            .Os
            .Sh NAME
            .Nm opencode-router
            .Nd coding sessions in the browser: a picker, an API, and a host for every session
            .Sh SYNOPSIS
            .Nm
            .Op Cm serve
            .Op Fl Fl Ns Ar setting Ar value ...
            .Nm
            .Ar command
            .Op Ar options
            .Sh DESCRIPTION
            .Nm
            serves the session picker, answers the API, runs one
            .Ql opencode serve
            per user, repository and branch, and carries every byte between the browser
            and the session.
            Without a command it serves.
            .Sh COMMANDS
            .Bl -tag -width Ds

            """
        for command in OpencodeRouter.configuration.subcommands where command.configuration.shouldDisplay {
            page += ".It Cm \(command.configuration.commandName ?? "")\n"
            page += prose(command.configuration.abstract)
            // What serve discusses is the list of settings below.
            if command != ServeCommand.self {
                page += ".Bd -literal\n" + literal(command.helpMessage(columns: 72)) + ".Ed\n"
            }
        }
        page += """
            .El
            .Sh SETTINGS
            Every setting is an environment variable and an option of
            .Cm serve ;
            the option wins.
            An empty value counts as not set.
            .Cm check-config
            prints the settings in force and every problem at once.

            """
        for (group, declarations) in SettingReference.groups(.router) {
            page += ".Ss \(group.rawValue)\n.Bl -tag -width Ds\n"
            for declaration in declarations {
                page += ".It Fl Fl \(escaped(String(declaration.flag.dropFirst(2)))) , Ev \(declaration.name)\n"
                page += prose(declaration.meaning)
                page += prose("Expected: \(declaration.kind.accepted).")
                if !declaration.shownFallback.isEmpty { page += prose("Default: \(declaration.shownFallback).") }
            }
            page += ".El\n"
        }
        return page + """
            .Sh SIGNALS
            On
            .Dv SIGTERM
            and
            .Dv SIGINT
            the router says that it is not ready, serves on for
            .Ev DRAIN_DELAY_SECONDS ,
            stops accepting, and lets what runs finish for
            .Ev DRAIN_SECONDS
            at most.
            .Sh EXIT STATUS
            .Bl -tag -width Ds
            .It 0
            The router drained and ended, or the check passed.
            .It 1
            It could not start or go on; the last lines on standard error say why.
            .It 64
            The command line is wrong.
            .It 78
            A setting was refused; each is named on a line of its own.
            .El
            .Sh EXAMPLES
            On this machine, for one person:
            .Pp
            .Dl DEVELOPMENT=true opencode-router serve
            .Pp
            Behind an ingress:
            .Pp
            .Dl ROUTER_DOMAIN=example.com TRUSTED_PROXIES=10.0.0.0/8 opencode-router serve

            """
    }

    /// Text as input lines: one sentence each, at most 78 columns, so that the formatter sets the spaces.
    private static func prose(_ text: String) -> String {
        var lines: [String] = []
        var line = ""
        var sentenceEnds = false
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }).map({ escaped(String($0)) }) {
            if sentenceEnds || (!line.isEmpty && line.utf8.count + 1 + word.utf8.count > 78) {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
            sentenceEnds = word.hasSuffix(".") || word.hasSuffix("?")
        }
        return (lines + [line]).map(started).joined()
    }

    /// Lines that stay as they are.
    private static func literal(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { started(escaped(String($0))) }.joined()
    }

    /// A backslash would begin an escape; a plain hyphen may become a typographic one, which nobody can copy.
    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
    }

    /// A line of text; a dot or an apostrophe at its start would be a request.
    private static func started(_ line: String) -> String {
        (line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" : "") + line + "\n"
    }
}
