/// Tells what an agent calls its newest conversation.
package protocol TitledAgent: Sendable {
    /// The title, as the agent or its user chose it; nil if there is no conversation, or no title yet.
    func title(at endpoint: SessionEndpoint) async throws(AgentFailure) -> String?
}

/// Stores the titles that agents give to their conversations, so that a sleeping session still says what it is about.
package struct TitleKeeper<KeeperClock: Clock>: Sendable where KeeperClock.Duration == Duration {
    private let directory: SessionDirectory
    private let runtime: any SessionRuntime
    private let agent: any TitledAgent
    private let interval: Duration
    private let clock: KeeperClock

    /// The longest title kept, in characters; agents make them of whole prompts.
    private static var limit: Int { 200 }

    package init(
        directory: SessionDirectory, runtime: any SessionRuntime, agent: any TitledAgent,
        interval: Duration = .seconds(60), clock: KeeperClock = ContinuousClock()
    ) {
        self.directory = directory
        self.runtime = runtime
        self.agent = agent
        self.interval = interval
        self.clock = clock
    }

    /// Looks once per interval until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            do { try await clock.sleep(until: clock.now.advanced(by: interval), tolerance: nil) } catch { return }
            for session in directory.snapshot.sessions {
                guard case .running(let endpoint) = session.state else { continue }
                await look(at: session, endpoint)
            }
        }
    }

    /// A title that cannot be had or stored now is had at the next look.
    private func look(at session: Session, _ endpoint: SessionEndpoint) async {
        guard let said = try? await agent.title(at: endpoint) else { return }
        // One line of text: what an agent says goes to a page and to a log.
        let title = String(said.map { $0.isNewline ? " " : $0 }.prefix(Self.limit)).trimmed
        guard !title.isEmpty, title != session.title else { return }
        try? await runtime.annotate(session.id, title: title, attachPassword: nil, conversationID: nil)
    }
}
