import SessionDoubles
import Sessions
import Testing

@Suite("The idle policy")
struct IdlePolicyTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var what: String
        var idle: Duration
        var running: Duration = .hours(1)
        var agent: AgentStatus
        var settings = IdleSettings()
        var minutes: Int?
        var expected: IdleDecision
        var testDescription: String { what }
    }

    static let aged = IdleSettings(maximumAge: .hours(8))
    static let never = IdleSettings(timeout: .zero)
    static let cases = [
        Case(what: "just used", idle: .zero, agent: .idle, expected: .keep(.recentUse(.request), for: .minutes(15))),
        Case(
            what: "used ten minutes ago", idle: .minutes(10), agent: .idle,
            expected: .keep(.recentUse(.request), for: .minutes(5))),
        Case(what: "unused for the idle time", idle: .minutes(15), agent: .idle, expected: .stop(.idle)),
        Case(
            what: "an idle time beyond all bounds is the longest", idle: .hours(23), agent: .idle, minutes: .max,
            expected: .keep(.recentUse(.request), for: .hours(1))),
        Case(what: "busy for days", idle: .hours(72), agent: .busy, expected: .keep(.agentBusy, for: nil)),
        Case(what: "retrying for days", idle: .hours(72), agent: .retrying, expected: .keep(.agentRetrying, for: nil)),
        Case(
            what: "waiting for an answer", idle: .hours(2), agent: .waitingForHuman,
            expected: .keep(.waitingForHuman, for: .hours(22))),
        Case(
            what: "waiting for an answer too long", idle: .hours(24), agent: .waitingForHuman,
            expected: .stop(.nobodyAnswered)),
        Case(
            what: "silent but just used", idle: .minutes(1), agent: .unknown,
            expected: .keep(.recentUse(.request), for: .minutes(14))),
        Case(
            what: "an error is not idleness", idle: .minutes(20), agent: .unknown,
            expected: .keep(.agentUnknown, for: .hours(24) - .minutes(20))),
        Case(what: "silent for a day", idle: .hours(24), agent: .unknown, expected: .stop(.agentSilent)),
        Case(
            what: "old and busy", idle: .zero, running: .hours(8), agent: .busy, settings: aged,
            expected: .stop(.tooOld)),
        Case(
            what: "nearly old and busy", idle: .zero, running: .hours(7), agent: .busy, settings: aged,
            expected: .keep(.agentBusy, for: .hours(1))),
        Case(
            what: "age ends before idleness", idle: .zero, running: .hours(8) - .minutes(3), agent: .idle,
            settings: aged, expected: .keep(.recentUse(.request), for: .minutes(3))),
        Case(
            what: "no idle stop", idle: .hours(1000), agent: .idle, settings: never,
            expected: .keep(.noTimeout, for: nil)),
        Case(
            what: "no idle stop, nobody answers", idle: .hours(1000), agent: .waitingForHuman, settings: never,
            expected: .keep(.noTimeout, for: nil)),
        Case(
            what: "the owner's shorter time", idle: .minutes(5), agent: .idle, minutes: 5, expected: .stop(.idle)),
        Case(
            what: "the owner's longer time", idle: .minutes(50), agent: .idle, minutes: 60,
            expected: .keep(.recentUse(.request), for: .minutes(10))),
        Case(
            what: "the administrator's maximum", idle: .minutes(30), agent: .idle,
            settings: IdleSettings(maximumTimeout: .minutes(30)), minutes: 60, expected: .stop(.idle)),
        Case(
            what: "the owner's time where there is none", idle: .minutes(6), agent: .idle, settings: never, minutes: 5,
            expected: .stop(.idle)),
        Case(
            what: "a human wait shorter than the idle time", idle: .minutes(10), agent: .waitingForHuman,
            settings: IdleSettings(humanWait: .minutes(5)), expected: .keep(.waitingForHuman, for: .minutes(5))),
    ]

    @Test("Decides by use and by the agent's own word", arguments: cases)
    func decision(_ row: Case) {
        var session = Session.example(1)
        session.idleTimeoutMinutes = row.minutes
        #expect(
            IdlePolicy.decide(
                session, idle: row.idle, lastSource: .request, running: row.running, agent: row.agent,
                settings: row.settings) == row.expected)
    }
}

extension Duration {
    static func minutes(_ count: Int) -> Duration { .seconds(count * 60) }
    static func hours(_ count: Int) -> Duration { .seconds(count * 3600) }
}
