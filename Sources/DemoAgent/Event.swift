/// Something that happened in the agent, as the event streams tell it.
struct Event: Sendable {
    /// A name from opencode's list: `session.status`, `message.part.delta`, `pty.created`…
    let type: String
    let properties: JSON

    init(_ type: String, _ properties: JSON = [:]) {
        self.type = type
        self.properties = properties
    }

    /// The bare form, as `/event` sends it.
    var json: JSON { ["type": .string(type), "properties": properties] }

    /// The form of `/global/event`, which names the directory.
    func globalJSON(directory: String) -> JSON { ["directory": .string(directory), "payload": json] }
}

/// Server-sent events: one `data:` line, no `event:`, `id:` or `retry:`, as opencode writes them.
func serverSentEvent(_ json: JSON) -> [UInt8] { Array("data: \(json.text)\n\n".utf8) }
