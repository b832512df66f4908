import Testing

@testable import KubernetesAPI

@Suite("A watch goes on where it stopped, or begins again when it must")
struct WatchStateTests {
    private func watching(_ version: String = "10") -> WatchState {
        var state = WatchState()
        state.listed(version: version, continuing: nil)
        return state
    }

    @Test("Pages are asked for one after the other, then the watch begins at the list's version")
    func pages() {
        var state = WatchState()
        #expect(state.action == .list(continuing: nil))
        #expect(state.pause(jitter: 0) == .zero)
        state.listed(version: "10", continuing: "next")
        #expect(state.action == .list(continuing: "next"))
        state.listed(version: "10", continuing: "")
        #expect(state.action == .watch(from: "10"))
    }

    @Test("Every object and every bookmark moves the version on")
    func versions() {
        var state = watching()
        let first = state.received(.object(version: "12"))
        #expect(first)
        #expect(state.action == .watch(from: "12"))
        let second = state.received(.object(version: "20"))
        #expect(second)
        state.ended(after: .seconds(40))
        #expect(state.action == .watch(from: "20"))
        #expect(state.pause(jitter: 1) == .zero)
    }

    @Test("A version that is too old means a new list, however the server says so")
    func gone() {
        var byEvent = watching()
        let goesOn = byEvent.received(.error(code: 410))
        #expect(!goesOn)
        #expect(byEvent.action == .list(continuing: nil))
        var byStatus = watching()
        byStatus.failed(status: 410, retryAfter: nil)
        #expect(byStatus.action == .list(continuing: nil))
        var byToken = WatchState()
        byToken.listed(version: "1", continuing: "old")
        byToken.failed(status: 410, retryAfter: nil)
        #expect(byToken.action == .list(continuing: nil))
    }

    @Test("Other errors in a watch end it and keep the version; lines nobody can read begin anew")
    func otherErrors() {
        var state = watching()
        let error = state.received(.error(code: 500))
        #expect(!error)
        #expect(state.action == .watch(from: "10"))
        let unknown = state.received(.unknown)
        #expect(unknown)
        let malformed = state.received(.malformed)
        #expect(!malformed)
        #expect(state.action == .list(continuing: nil))
    }

    @Test("A server that was away is listed anew: its store may be an older one; one attempt that fails is nothing")
    func absence() {
        var state = watching()
        state.failed(status: nil, retryAfter: nil)
        #expect(state.action == .watch(from: "10"))
        state.failed(status: nil, retryAfter: nil)
        #expect(state.action == .list(continuing: nil))
    }

    @Test("A version that is refused three times is given up; a server that is busy changes nothing")
    func refusedVersion() {
        var refused = watching()
        for _ in 0..<2 { refused.failed(status: 504, retryAfter: nil) }
        #expect(refused.action == .watch(from: "10"))
        refused.failed(status: 504, retryAfter: nil)
        #expect(refused.action == .list(continuing: nil))
        var patient = watching()
        for _ in 0..<9 { patient.failed(status: 429, retryAfter: nil) }
        #expect(patient.action == .watch(from: "10"))
        var erring = watching()
        for _ in 0..<4 {
            erring.opened()
            _ = erring.received(.error(code: 500))
            erring.ended(after: .milliseconds(1))
        }
        #expect(erring.action == .list(continuing: nil))
    }

    @Test("Silence is a failure, and a line or a whole life ends it")
    func silence() {
        var state = watching()
        state.ended(after: .seconds(45), inSilence: true)
        #expect(state.failuresInARow == 1 && state.pause(jitter: 0) == .zero)
        state.opened()
        #expect(state.failuresInARow == 1)
        _ = state.received(.object(version: "11"))
        #expect(state.failuresInARow == 0)
        state.ended(after: .seconds(45), inSilence: true)
        state.ended(after: .seconds(45))
        #expect(state.failuresInARow == 0)
    }

    @Test("Attempts are at least a second apart, more after each failure, never more than 12 seconds")
    func backoff() {
        var state = watching()
        var pauses: [Duration] = []
        for _ in 0..<8 {
            state.failed(status: 503, retryAfter: nil)
            pauses.append(state.pause(jitter: 0))
        }
        #expect(pauses.map(\.components.seconds) == [1, 2, 4, 8, 8, 8, 8, 8])
        #expect(state.pause(jitter: 1) == .seconds(12))
        state.listed(version: "11", continuing: nil)
        #expect(state.pause(jitter: 1) == .zero)
    }

    @Test("A storm of 410 is not answered by a storm of lists")
    func storm() {
        var state = WatchState()
        var waited = Duration.zero
        for _ in 0..<10 {
            waited += state.pause(jitter: 0)
            state.listed(version: "1", continuing: nil)
            waited += state.pause(jitter: 0)
            state.opened()
            _ = state.received(.error(code: 410))
            state.ended(after: .milliseconds(1))
        }
        #expect(waited >= .seconds(9))
    }

    @Test("What the server asks for is waited, within a minute")
    func retryAfter() {
        var state = watching()
        state.failed(status: 429, retryAfter: 7)
        #expect(state.pause(jitter: 0) == .seconds(7))
        state.failed(status: 429, retryAfter: 3600)
        #expect(state.pause(jitter: 0) == .seconds(60))
    }

    @Test("A watch that is cut at once is not opened again at once")
    func cut() {
        var state = watching()
        state.opened()
        state.ended(after: .milliseconds(3))
        #expect(state.pause(jitter: 0) == .seconds(1))
    }
}

@Suite("Lines of a watch")
struct WatchLineTests {
    private static let lines = [
        #"{"type":"ADDED","object":{"metadata":{"name":"a","uid":"1","resourceVersion":"5"},"status":{"podIP":"10.0.0.1"}}}"#,
        #"{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"9","creationTimestamp":null}}}"#,
        #"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"ü too old"}}"#,
    ]

    @Test("The stream gives the same lines wherever it is split in two")
    func splits() {
        let stream = Array((Self.lines.joined(separator: "\n") + "\n").utf8)
        for cut in 0...stream.count {
            var splitter = LineSplitter()
            var lines: [[UInt8]] = []
            lines += splitter.lines(adding: Array(stream[..<cut])) ?? []
            lines += splitter.lines(adding: Array(stream[cut...])) ?? []
            #expect(lines.map { String(decoding: $0, as: UTF8.self) } == Self.lines, "cut at \(cut)")
            #expect(!splitter.isMidLine)
        }
    }

    @Test("A line without an end is not believed, and one without bounds is refused")
    func unfinished() {
        var splitter = LineSplitter(limit: 16)
        #expect(splitter.lines(adding: Array("{\"type\":".utf8)) == [])
        #expect(splitter.isMidLine)
        #expect(splitter.lines(adding: Array(repeating: 0x20, count: 32)) == nil)
    }

    @Test("Each kind of line is understood")
    func kinds() {
        func read(_ text: String) -> (WatchState.Line, String?) {
            let (line, event) = WatchLine<Pod>.read(Array(text.utf8))
            return switch event {
            case .changed(let pod): (line, "changed \(pod.metadata.name ?? "")")
            case .removed(let pod): (line, "removed \(pod.metadata.name ?? "")")
            default: (line, nil)
            }
        }
        #expect(read(Self.lines[0]) == (.object(version: "5"), "changed a"))
        #expect(read(Self.lines[1]) == (.object(version: "9"), nil))
        #expect(read(Self.lines[2]) == (.error(code: 410), nil))
        #expect(read(#"{"type":"DELETED","object":{"metadata":{"name":"a"}}}"#) == (.object(version: nil), "removed a"))
        #expect(read(#"{"type":"NEWS","object":{}}"#) == (.unknown, nil))
        #expect(read(#"{"type":"ADDED","object":3}"#) == (.malformed, nil))
        #expect(read("no JSON") == (.malformed, nil))
    }
}
