internal import LinuxIO

/// `/session…`: conversations with an agent that has nothing to say but the truth.
extension Server {
    private static let conversationLimit = 1000
    private static let messageLimit = 1000

    func listConversations(_ request: Request) -> Response {
        let limit = request.query["limit"].flatMap { Int($0) } ?? 100
        let search = request.query["search"]?.lowercased() ?? ""
        let found = conversations.values
            .filter { search.isEmpty || $0.title.lowercased().contains(search) }
            .filter { request.query["roots"] != "true" || $0.parentID == nil }
            .sorted { ($0.updated, $0.id) > ($1.updated, $1.id) }
        return .json(.array(found.prefix(max(0, limit)).map(\.json)))
    }

    /// Idle sessions are absent, as in opencode: `{}` means that nothing runs.
    var conversationStatus: Response {
        let busy = conversations.values.filter(\.isBusy).sorted { $0.id < $1.id }
        return .json(.object(busy.map { ($0.id, ["type": "busy"]) }))
    }

    func createConversation(_ connection: Connection) async throws(ConnectionFailure) -> Response {
        let bytes = try await connection.collectBody(limit: RequestJSON.limit)
        guard let wish = RequestJSON.decode(RequestJSON.NewConversation.self, bytes) else {
            return .badRequest("The body is not a JSON object with an optional title.")
        }
        guard conversations.count < Self.conversationLimit else {
            return .failure(409, "LimitError", "The demo agent keeps \(Self.conversationLimit) sessions at most.")
        }
        let now = wallClock()
        let conversation = Conversation(
            id: Identifier.make(Identifier.session, now: now), parentID: wish.parentID,
            title: wish.title ?? "Demo session", directory: repository.root, created: now, updated: now)
        conversations[conversation.id] = conversation
        events.send(Event("session.created", ["info": conversation.json]))
        return .json(conversation.json)
    }

    func deleteConversation(_ id: String) -> Response {
        _ = abort(id)
        guard let conversation = conversations.removeValue(forKey: id) else { return .notFound("Session \(id)") }
        events.send(Event("session.deleted", ["info": conversation.json]))
        return .json(true)
    }

    /// Ends the present answer; true whether or not there is one, as in opencode.
    func abort(_ id: String) -> Response {
        guard conversations[id] != nil else { return .notFound("Session \(id)") }
        answers[id]?.stop()
        return .json(true)
    }

    /// 204 at once; the answer comes as events.
    func prompt(_ id: String, _ connection: Connection) async throws(ConnectionFailure) -> Response {
        try await accept(promptFor: id, connection) ?? .noContent
    }

    /// Answers with the finished message; meanwhile the connection is silent.
    func promptAndWait(_ id: String, _ connection: Connection) async throws(ConnectionFailure) -> Response {
        if let refusal = try await accept(promptFor: id, connection) { return refusal }
        let listener = events.listen(waking: connection.waiter)
        defer { events.remove(listener) }
        while !isStopping, conversations[id]?.isBusy == true {
            _ = listener.take()
            _ = await connection.waiter.wait(until: .never)
        }
        guard let message = conversations[id]?.messages.last else { return .notFound("Session \(id)") }
        return .json(["info": message.info(in: id), "parts": [message.part(in: id)]])
    }

    /// Takes a prompt and starts the answer; the refusal if it cannot.
    private func accept(
        promptFor id: String, _ connection: Connection
    ) async throws(ConnectionFailure) -> Response? {
        let bytes = try await connection.collectBody(limit: RequestJSON.limit)
        guard let prompt = RequestJSON.decode(RequestJSON.Prompt.self, bytes) else {
            return .badRequest("The body is not a JSON object with parts.")
        }
        guard let conversation = conversations[id] else { return .notFound("Session \(id)") }
        guard !conversation.isBusy else {
            return .failure(409, "BusyError", "The demo agent is still answering; stop it or wait.")
        }
        guard conversation.messages.count < Self.messageLimit else {
            return .failure(409, "LimitError", "This session is full; start another.")
        }
        say(prompt.text, as: .user, in: id, isComplete: true)
        guard prompt.noReply != true else { return nil }
        setBusy(true, id)
        answers[id] = Answer(on: executor)
        let text = prompt.text
        spawn { await self.answer(id, text) }
        return nil
    }

    /// Gives the canned answer, word by word, so that the page has something to follow.
    private func answer(_ id: String, _ prompt: String) async {
        guard let answer = answers[id] else { return }
        let entries = (try? repository.entries(of: "")) ?? []
        let names = entries.map { $0.kind == .directory ? $0.name + "/" : $0.name }
        let reply = CannedReply(to: prompt, names: names, count: names.count)
        var isWanted = await answer.pause(UInt64(reply.pause) * 1000 + configuration.wordMilliseconds * 8)
        let message = say("", as: .assistant, in: id, isComplete: false)
        for piece in reply.pieces where isWanted {
            append(piece, to: message, in: id)
            isWanted = await answer.pause(configuration.wordMilliseconds)
        }
        finish(message, in: id, isAborted: !isWanted)
        answers[id] = nil
        setBusy(false, id)
        events.send(Event("session.idle", ["sessionID": .string(id)]))
    }

    // MARK: Changes, each told as an event

    @discardableResult
    private func say(_ text: String, as role: Conversation.Message.Role, in id: String, isComplete: Bool) -> String {
        let now = wallClock()
        let message = Conversation.Message(
            id: Identifier.make(Identifier.message, now: now), partID: Identifier.make(Identifier.part, now: now),
            role: role, created: now, completed: isComplete ? now : nil, text: text)
        conversations[id]?.messages.append(message)
        conversations[id]?.updated = now
        events.send(Event("message.updated", ["info": message.info(in: id)]))
        events.send(Event("message.part.updated", ["part": message.part(in: id)]))
        return message.id
    }

    private func append(_ piece: String, to message: String, in id: String) {
        guard let index = conversations[id]?.messages.lastIndex(where: { $0.id == message }) else { return }
        conversations[id]?.messages[index].text += piece
        guard let part = conversations[id]?.messages[index].partID else { return }
        events.send(
            Event(
                "message.part.delta",
                [
                    "sessionID": .string(id), "messageID": .string(message), "partID": .string(part), "field": "text",
                    "delta": .string(piece),
                ]))
    }

    private func finish(_ message: String, in id: String, isAborted: Bool) {
        guard let index = conversations[id]?.messages.lastIndex(where: { $0.id == message }) else { return }
        conversations[id]?.messages[index].completed = wallClock()
        conversations[id]?.messages[index].isAborted = isAborted
        guard let finished = conversations[id]?.messages[index] else { return }
        events.send(Event("message.part.updated", ["part": finished.part(in: id)]))
        events.send(Event("message.updated", ["info": finished.info(in: id)]))
    }

    private func setBusy(_ isBusy: Bool, _ id: String) {
        guard conversations[id] != nil else { return }
        conversations[id]?.isBusy = isBusy
        let status: JSON = ["type": isBusy ? "busy" : "idle"]
        events.send(Event("session.status", ["sessionID": .string(id), "status": status]))
        if let info = conversations[id]?.json, !isBusy { events.send(Event("session.updated", ["info": info])) }
    }
}
