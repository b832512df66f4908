import Sessions

/// Where one session keeps its things: `<STATE_DIR>/sessions/<hash>/`.
struct SessionFolder: Sendable {
    let path: String

    init(stateDirectory: String, id: SessionID) {
        path = "\(stateDirectory)/sessions/\(id)"
    }

    /// The clone; the agent's working directory.
    var repository: String { path + "/repo" }
    /// The home of git while the folder is prepared; holds no configuration of anybody's.
    var home: String { path + "/home" }
    var initialisationLog: String { path + "/init.log" }
    var agentLog: String { path + "/agent.log" }
    /// What was said in the session.
    var messages: String { path + "/messages.json" }

    /// The file of one of the two logs.
    func path(of log: SessionLog) -> String {
        switch log {
        case .initialisation: initialisationLog
        case .agent: agentLog
        }
    }
}
