import HTTPTypes
import Sessions

/// What a path and a method ask for.
enum Operation: Hashable {
    case listSessions, createSession, streamSessions, suggestBranch
    case getSession(SessionID), deleteSession(SessionID)
    case sessionEvents(SessionID), sessionLog(SessionID)
    case stopSession(SessionID), resumeSession(SessionID), keepAlive(SessionID)
    case setIdleTimeout(SessionID)
    case attachInfo(SessionID), rotateAttachPassword(SessionID)
    case progressStream(SessionID)
    case sessionPorts(SessionID), setPort(SessionID, String), resetPort(SessionID, String)
    case version, me
    case listSecrets, replaceSecrets, removeSecrets
    case putSecret(String), removeSecret(String)
    case userRepositories, userBranches
    case listArchives, getArchive(String)
    case adminSessions, pullImage

    /// The operation, or why there is none.
    static func of(_ method: HTTPRequest.Method, path: String) throws(APIError) -> Operation {
        guard let table = at(path) else { throw .notFound }
        // HEAD is GET whose body the connection leaves out (RFC 9110 §9.3.2).
        let wanted = method == .head ? .get : method
        guard let operation = table.first(where: { $0.0 == wanted }) else {
            let methods = table.map(\.0)
            throw .wrongMethod(allowed: methods.contains(.get) ? methods + [.head] : methods)
        }
        return operation.1
    }

    /// What may be asked for at a path.
    private static func at(_ path: String) -> [(HTTPRequest.Method, Operation)]? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        // A name that is empty is none: an address with a slash behind it is another one.
        guard parts.first == "api", !parts.contains("") else { return nil }
        let rest = Array(parts.dropFirst())
        switch rest {
        case ["version"]: return [(.get, .version)]
        case ["me"]: return [(.get, .me)]
        case ["sessions"]: return [(.get, .listSessions), (.post, .createSession)]
        case ["sessions", "stream"]: return [(.get, .streamSessions)]
        case ["sessions", "suggest-branch"]: return [(.get, .suggestBranch)]
        case ["user", "secret"]: return [(.get, .listSecrets), (.post, .replaceSecrets), (.delete, .removeSecrets)]
        case ["user", "repos"]: return [(.get, .userRepositories)]
        case ["user", "repos", "branches"]: return [(.get, .userBranches)]
        case ["archives"]: return [(.get, .listArchives)]
        case ["admin", "sessions"]: return [(.get, .adminSessions)]
        case ["admin", "pull-image"]: return [(.post, .pullImage)]
        default: break
        }
        if rest.count == 3, rest[0] == "user", rest[1] == "secret" {
            return [(.put, .putSecret(rest[2])), (.delete, .removeSecret(rest[2]))]
        }
        if rest.count == 2, rest[0] == "archives" { return [(.get, .getArchive(rest[1]))] }
        guard rest.count >= 2, rest[0] == "sessions", let id = SessionID(rest[1]) else { return nil }
        if rest.count == 2 { return [(.get, .getSession(id)), (.delete, .deleteSession(id))] }
        if rest.count == 4, rest[2] == "ports" {
            return [(.put, .setPort(id, rest[3])), (.delete, .resetPort(id, rest[3]))]
        }
        if rest.count == 4, rest[2] == "progress", rest[3] == "stream" { return [(.get, .progressStream(id))] }
        guard rest.count == 3 else { return nil }
        switch rest[2] {
        case "events": return [(.get, .sessionEvents(id))]
        case "log": return [(.get, .sessionLog(id))]
        case "stop": return [(.post, .stopSession(id))]
        case "resume": return [(.post, .resumeSession(id))]
        case "keep-alive": return [(.post, .keepAlive(id))]
        case "idle-timeout": return [(.put, .setIdleTimeout(id))]
        case "ports": return [(.get, .sessionPorts(id))]
        case "attach-info": return [(.get, .attachInfo(id))]
        case "attach-password": return [(.post, .rotateAttachPassword(id))]
        default: return nil
        }
    }
}
