/// What the demo agent answers: the truth about itself, the question, and what is in the repository.
struct CannedReply: Equatable, Sendable {
    /// Seconds to stay busy before answering.
    let pause: Int
    let text: String

    private static let longestPause = 600
    private static let namesShown = 12
    private static let questionShown = 400

    /// The reply to a prompt; `/wait 20` at its start asks for twenty busy seconds, to try out what depends on them.
    init(to prompt: String, names: [String], count: Int) {
        let words = prompt.split(separator: " ", maxSplits: 2)
        if words.count >= 2, words[0] == "/wait", let seconds = Int(words[1]), seconds > 0 {
            pause = min(seconds, Self.longestPause)
        } else {
            pause = 0
        }

        var question = String(prompt.prefix(Self.questionShown))
        if question.count < prompt.count { question += "…" }
        var text = "This is the demo agent. No model is behind it, so nothing has been thought about or changed.\n\n"
        text += question.isEmpty ? "You asked nothing.\n\n" : "You asked: “\(question)”\n\n"
        if count == 0 {
            text += "The repository has no files yet."
        } else {
            text += "The repository has \(count) \(count == 1 ? "entry" : "entries") at its top level:\n"
            text += names.prefix(Self.namesShown).map { "• \($0)" }.joined(separator: "\n")
            if count > Self.namesShown { text += "\n…and \(count - Self.namesShown) more." }
        }
        if pause > 0 { text += "\n\nIt was busy for \(pause) s because you asked it to be." }
        self.text = text + "\n\nInstall opencode to have real answers here."
    }

    /// The text in the pieces it is sent in: words with the white space behind them.
    var pieces: [String] {
        var pieces: [String] = []
        var piece = ""
        var inSpace = false
        for character in text {
            if inSpace && !character.isWhitespace {
                pieces.append(piece)
                piece = ""
            }
            inSpace = character.isWhitespace
            piece.append(character)
        }
        if !piece.isEmpty { pieces.append(piece) }
        return pieces
    }
}
