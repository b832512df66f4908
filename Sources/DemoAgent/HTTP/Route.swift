/// What an address means, whatever the method.
enum Route: Equatable, Sendable {
    case page
    /// A file of the page, by its name in the resources folder.
    case resource(String)
    case health, globalEvents, dispose
    case events
    case path, versionControl
    case files, fileContent
    case sessions, sessionStatus, session(String), messages(String), promptAsync(String)
    case abort(String)
    case pending
    case terminals, terminal(String), terminalConnection(String)
    /// The demo's own addresses, for tests of what lies between browser and agent.
    case upload(String), bytes, request

    /// Finds the route of a path's parts; nil if there is none.
    init?(_ segments: [String]) {
        switch segments.count {
        case 0: self = .page
        case 1:
            switch segments[0] {
            case "event": self = .events
            case "path": self = .path
            case "vcs": self = .versionControl
            case "file": self = .files
            case "session": self = .sessions
            case "permission", "question": self = .pending
            case "pty": self = .terminals
            default: return nil
            }
        case 2:
            switch (segments[0], segments[1]) {
            case ("global", "health"): self = .health
            case ("global", "event"): self = .globalEvents
            case ("global", "dispose"), ("instance", "dispose"): self = .dispose
            case ("file", "content"): self = .fileContent
            case ("session", "status"): self = .sessionStatus
            case ("session", let id): self = .session(id)
            case ("pty", let id): self = .terminal(id)
            case ("demo", "bytes"): self = .bytes
            case ("demo", "request"): self = .request
            case ("demo-agent", let name): self = .resource(name)
            // opencode's deep links: /<base64url of the directory>/session
            case (_, "session"): self = .page
            default: return nil
            }
        case 3:
            switch (segments[0], segments[1], segments[2]) {
            case ("session", let id, "message"): self = .messages(id)
            case ("session", let id, "prompt_async"): self = .promptAsync(id)
            case ("session", let id, "abort"): self = .abort(id)
            case ("pty", let id, "connect"): self = .terminalConnection(id)
            case ("demo", "upload", let name): self = .upload(name)
            case (_, "session", _): self = .page
            default: return nil
            }
        default: return nil
        }
    }

    /// The methods that the route takes, HEAD and OPTIONS aside.
    var methods: [String] {
        switch self {
        case .page, .resource, .health, .globalEvents, .events, .path, .versionControl, .files, .fileContent,
            .sessionStatus, .pending, .terminalConnection, .bytes, .request:
            ["GET"]
        case .sessions, .terminals, .messages: ["GET", "POST"]
        case .session: ["GET", "DELETE"]
        case .terminal: ["GET", "PUT", "DELETE"]
        case .promptAsync, .abort, .dispose: ["POST"]
        case .upload: ["GET", "PUT", "POST", "DELETE"]
        }
    }
}
