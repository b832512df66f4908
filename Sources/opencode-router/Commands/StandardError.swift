internal import Glibc

/// Lines for the person who started the program, when there is no log yet.
enum StandardError {
    /// Writes one line; a closed standard error is nobody's problem.
    static func print(_ line: String) {
        var line = line + "\n"
        line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
