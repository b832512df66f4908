internal import ArgumentParser

/// The completion scripts, made from what `--help` prints.
///
/// ArgumentParser's own scripts know only options that are properties of a command; the settings are rows of a table.
enum CompletionScript {
    /// The script for a shell.
    static func text(for shell: CompletionsCommand.Shell) -> String {
        switch shell {
        case .bash: bash
        case .zsh: zsh
        case .fish: fish
        }
    }

    /// The commands that help shows, with the options of each.
    static var commands: [(name: String, abstract: String, options: [String])] {
        OpencodeRouter.configuration.subcommands.filter { $0.configuration.shouldDisplay }.map { command in
            (command.configuration.commandName ?? "", command.configuration.abstract, options(of: command))
        }
    }

    /// Every word at the start of a line of the command's help that is a long option, and what else can stand there.
    private static func options(of command: any ParsableCommand.Type) -> [String] {
        if command == CompletionsCommand.self { return CompletionsCommand.Shell.allCases.map { $0.rawValue } }
        // Its help leaves the list to serve.
        if command == CheckConfigCommand.self { return SettingTable.all.map { $0.flag } }
        return command.helpMessage(includeHidden: false, columns: 80).split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: { " ,".contains($0) })
            // `-h, --help` and `--port, PORT`.
            return words.prefix(2).first { $0.hasPrefix("--") }.map(String.init)
        }
    }

    private static var names: String { commands.map(\.name).joined(separator: " ") }

    /// The `case` of both POSIX-like shells; without a command, the options are those of serve.
    private static func cases(_ assign: (String) -> String) -> String {
        commands.map { command in
            let pattern = command.name == "serve" ? "serve|--*" : command.name
            return "        \(pattern)) \(assign(command.options.joined(separator: " "))) ;;\n"
        }.joined()
    }

    private static var bash: String {
        """
        # Completes opencode-router in bash.
        _opencode_router() {
            local word=${COMP_WORDS[COMP_CWORD]} choices=""
            case ${COMP_WORDS[1]} in
        \(cases { "choices=\"\($0)\"" })    esac
            if [ "$COMP_CWORD" = 1 ]; then choices="\(names) $choices"; fi
            mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
        }
        complete -o default -F _opencode_router opencode-router

        """
    }

    private static var zsh: String {
        """
        #compdef opencode-router
        local -a choices
        case $words[2] in
        \(cases { "choices=(\($0))" })esac
        if (( CURRENT == 2 )); then choices=(\(names) $choices); fi
        compadd -a choices || _files

        """
    }

    private static var fish: String {
        var text = "# Completes opencode-router in fish.\n"
        for command in commands {
            text += "complete -c opencode-router -n __fish_use_subcommand -f -a \(command.name)"
            text += " -d '\(command.abstract.replacing("'", with: "\\'"))'\n"
            for option in command.options where option.hasPrefix("--") {
                text += "complete -c opencode-router -n '__fish_seen_subcommand_from \(command.name)'"
                text += " -l \(option.dropFirst(2))\n"
            }
        }
        return text
    }
}
