/// The part of an agent's API that a first prompt needs.
package protocol PromptableAgent: Sendable {
    /// Which API the agent speaks; links to its conversations depend on it.
    func generation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> AgentGeneration
    /// The newest conversation that no other conversation made; nil if there is none yet.
    func firstConversation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String?
    /// Makes a conversation and answers its id (`ses_…`).
    func openConversation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String
    func hasMessages(_ conversation: String, at endpoint: SessionEndpoint) async throws(AgentFailure) -> Bool
    /// The newest conversation with a message in it, of the last few; nil if there is none.
    func spokenConversation(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String?
    /// Gives the agent a prompt; returns once it is accepted, not when it is answered.
    func prompt(_ text: String, in conversation: String, at endpoint: SessionEndpoint) async throws(AgentFailure)
}

/// Why an agent did not do what it was asked, in words for a log.
package struct AgentFailure: Error, Hashable, Sendable {
    package var message: String

    package init(_ message: String) { self.message = message }
}

/// What became of a first prompt.
package enum FirstPromptEvent: Hashable, Sendable {
    case delivered(SessionID, conversation: String)
    /// The agent, or the runtime that stores the conversation's id, failed too often; the next run tries again.
    case gaveUp(SessionID, reason: String)
}

/// Gives each session's agent its owner's first prompt, exactly once, whether or not a browser looks on.
///
/// That it was delivered is known by the conversation's id, stored with the session. A router that ends between prompt
/// and storing finds the conversation with its message, and stores only.
package actor FirstPromptCourier<RetryClock: Clock> where RetryClock.Duration == Duration {
    private struct Run: Hashable {
        var id: SessionID
        var incarnation: String
    }
    private let directory: SessionDirectory
    private let runtime: any SessionRuntime
    private let agent: any PromptableAgent
    private let clock: RetryClock
    private let report: @Sendable (FirstPromptEvent) -> Void
    private var begun: Set<Run> = []

    private static var attempts: Int { 8 }

    package init(
        directory: SessionDirectory, runtime: any SessionRuntime, agent: any PromptableAgent,
        clock: RetryClock = ContinuousClock(), report: @escaping @Sendable (FirstPromptEvent) -> Void = { _ in }
    ) {
        self.directory = directory
        self.runtime = runtime
        self.agent = agent
        self.clock = clock
        self.report = report
    }

    /// Delivers until the directory ends or the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await snapshot in directory.updates() {
                guard snapshot.inSync else { continue }
                let waiting = snapshot.sessions.compactMap { session in
                    session.waitingPrompt.map {
                        (Run(id: session.id, incarnation: $0.endpoint.incarnation), $0.text, $0.endpoint)
                    }
                }
                // A run that still waits has its task, or was given up; what waits no more is forgotten.
                begun.formIntersection(waiting.map(\.0))
                for (run, text, endpoint) in waiting where begun.insert(run).inserted {
                    group.addTask { await self.deliver(text, run, endpoint) }
                }
            }
            group.cancelAll()
        }
    }

    private func deliver(_ text: String, _ run: Run, _ endpoint: SessionEndpoint) async {
        var prompted: String?
        var reason = ""
        for attempt in 0..<Self.attempts {
            guard directory.snapshot[run.id]?.waitingPrompt?.endpoint.incarnation == run.incarnation else { return }
            do throws(AgentFailure) {
                let conversation: String
                if let known = prompted {
                    conversation = known
                } else {
                    conversation = try await prompt(text, at: endpoint)
                    prompted = conversation
                }
                let generation = try await agent.generation(at: endpoint)
                do throws(SessionRuntimeError) {
                    // Before the conversation, whose link it decides.
                    if generation != .v1 { try await runtime.setAgentGeneration(generation, of: run.id) }
                    try await runtime.annotate(run.id, title: nil, attachPassword: nil, conversationID: conversation)
                    report(.delivered(run.id, conversation: conversation))
                    return
                } catch {
                    reason = "the conversation could not be stored: \(error)"
                }
            } catch {
                reason = error.message
            }
            let pause = Duration.seconds(min(30, 1 << attempt))
            do { try await clock.sleep(until: clock.now.advanced(by: pause), tolerance: nil) } catch { return }
        }
        report(.gaveUp(run.id, reason: reason))
    }

    private func prompt(_ text: String, at endpoint: SessionEndpoint) async throws(AgentFailure) -> String {
        let conversation: String
        if let first = try await agent.firstConversation(at: endpoint) {
            if try await agent.hasMessages(first, at: endpoint) { return first }
            // Somebody may have opened an empty one since; an adopted session's prompt was given long ago.
            if let spoken = try await agent.spokenConversation(at: endpoint) { return spoken }
            conversation = first
        } else {
            conversation = try await agent.openConversation(at: endpoint)
        }
        try await agent.prompt(text, in: conversation, at: endpoint)
        return conversation
    }
}

extension Session {
    /// The first prompt of a running session that no conversation has taken yet.
    fileprivate var waitingPrompt: (text: String, endpoint: SessionEndpoint)? {
        guard case .running(let endpoint) = state, conversationID == nil, let initialMessage, !initialMessage.isEmpty
        else { return nil }
        return (initialMessage, endpoint)
    }
}
