/// Where in a terminal's output a client wants to begin (`?cursor=`).
enum TerminalCursor: Equatable, Sendable {
    /// A position it has been told before; 0 is all that is kept.
    case position(UInt64)
    /// Only what comes from now on (`-1`).
    case end

    /// Reads the query's value; anything else than a number begins at the start.
    init(_ text: String?) {
        if text == "-1" {
            self = .end
        } else {
            self = .position(text.flatMap { UInt64($0) } ?? 0)
        }
    }
}
