internal import FoundationEssentials
internal import KubernetesAPI
internal import Sessions

/// Why starts fail, with codes that stay, sentences for people and what to do next.
enum StartFailure {
    static func unschedulable(_ message: String) -> SessionFailure {
        SessionFailure(
            code: "unschedulable", message: "No node of the cluster can take the session now.",
            hint: "Stop other sessions, or ask the operator for more room. It starts by itself once there is some.",
            log: text(message))
    }

    static func imagePull(_ image: String, _ message: String) -> SessionFailure {
        SessionFailure(
            code: "image_pull_failed", message: "The image \(image) cannot be pulled.",
            hint: "Ask the operator to check the image's name and the pull secret (IMAGE_PULL_SECRET_NAME).",
            log: text(message))
    }

    static func invalidImage(_ image: String, _ message: String) -> SessionFailure {
        SessionFailure(
            code: "invalid_image_name", message: "\(image) is not the name of an image.",
            hint: "Ask the operator to correct OPENCODE_IMAGE or CHROMIUM_IMAGE.", log: text(message))
    }

    static func containerConfiguration(_ name: String, _ message: String) -> SessionFailure {
        SessionFailure(
            code: "container_not_started", message: "The container \(name) cannot be started as it is configured.",
            hint: "Ask the operator; the cluster's own words follow.", log: text(message))
    }

    static func outOfMemory(during what: String) -> SessionFailure {
        SessionFailure(
            code: "out_of_memory", message: "The session ran out of memory \(what).",
            hint: "Try again with a smaller task, or ask the operator for more memory (POD_MEMORY_LIMIT).")
    }

    static func diskFull(_ what: String, _ log: String) -> SessionFailure {
        SessionFailure(
            code: "disk_full", message: "There is no room left on \(what).",
            hint: "Delete what is no longer needed, or ask the operator for larger disks (STORAGE_SIZE).",
            log: text(log))
    }

    /// - Parameter exitCode: nil if the cluster has forgotten it.
    static func crashLoop(exitCode: Int?, log: String) -> SessionFailure {
        SessionFailure(
            code: "crash_loop", message: "The agent ends again and again\(words(exitCode)).",
            hint: "Its last lines tell more. Resume the session to try again.", log: text(log))
    }

    static func evicted(_ message: String) -> SessionFailure {
        SessionFailure(
            code: "evicted", message: "The session's node had to make room and ended it.",
            hint: "Resume the session; its files are kept.", log: text(message))
    }

    static func podEnded(reason: String, message: String) -> SessionFailure {
        SessionFailure(
            code: "pod_ended", message: "The session's pod has ended\(reason.isEmpty ? "" : " (\(reason))").",
            hint: "Resume the session; its files are kept.", log: text(message))
    }

    static func volumeStuck(_ warning: ClusterWarning) -> SessionFailure {
        SessionFailure(
            code: "volume_stuck", message: "The session's disk cannot be attached.",
            hint:
                "It may still be held by another node, and then comes by itself in some minutes; else ask the operator.",
            log: text("\(warning.reason): \(warning.message)"))
    }

    static let volumeLost = SessionFailure(
        code: "volume_lost", message: "The session's disk is lost: its claim has no volume any more.",
        hint: "Ask the operator whether the volume can be brought back, else delete the session.")

    // MARK: Refusals of the API server

    /// What a refused object means, for refusals that trying again does not change; nil for weather.
    static func refusal(_ error: KubernetesError) -> SessionFailure? {
        guard let status = error.status else { return nil }
        let message = error.message
        switch status {
        case 403 where message.contains("exceeded quota"):
            return SessionFailure(
                code: "quota_exceeded", message: "The namespace has no room for another session.",
                hint: "Stop or delete sessions, or ask the operator for a larger quota.", log: text(message))
        // Webhooks "denied the request", policies (ValidatingAdmissionPolicy) "denied request: ".
        case 400..<500
        where message.contains("denied the request") || message.contains(" denied request: ")
            || message.contains("violates PodSecurity"),
            403 where message.contains("is forbidden: ") && message.contains("admission"):
            return admission(message)
        case 403 where message.contains("cannot "):
            return SessionFailure(
                code: "permission_missing", message: "The router may not \(error.verb.rawValue) \(error.kind) objects.",
                hint: "Ask the operator to apply the router's role (deployment/kubernetes).", log: text(message))
        case 403: return admission(message)
        case 404:
            return SessionFailure(
                code: "namespace_missing", message: "The namespace of sessions does not exist.",
                hint: "Ask the operator to check OPENCODE_NAMESPACE.", log: text(message))
        case 400, 422:
            return SessionFailure(
                code: "object_refused", message: "The cluster does not accept the session's \(error.kind).",
                hint: "Ask the operator to check the settings; the cluster's own words follow.", log: text(message))
        default: return nil
        }
    }

    private static func admission(_ message: String) -> SessionFailure {
        SessionFailure(
            code: "admission_denied", message: "The cluster's rules do not admit the session.",
            hint: "Ask the operator; the rule's own words follow.", log: text(message))
    }

    // MARK: Kept with the claim

    private struct Stored: Codable {
        var code: String
        var message: String
        var hint: String
        var log: String?
    }

    /// The refusal of the last start, which no pod could tell of.
    static func stored(_ claim: PersistentVolumeClaim) -> SessionFailure? {
        guard let text = claim.metadata.annotations?[Annotation.startFailure],
            let stored = try? JSONDecoder().decode(Stored.self, from: Data(text.utf8))
        else { return nil }
        return SessionFailure(code: stored.code, message: stored.message, hint: stored.hint, log: stored.log)
    }

    /// The annotation's text.
    static func annotation(_ failure: SessionFailure) -> String {
        let stored = Stored(
            code: failure.code, message: failure.message, hint: failure.hint,
            log: failure.log.map { String($0.prefix(2000)) })
        guard let data = try? JSONEncoder().encode(stored) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }

    /// The exit code for the end of a sentence.
    fileprivate static func words(_ exitCode: Int?) -> String { exitCode.map { " (exit code \($0))" } ?? "" }

    private static func text(_ log: String) -> String? {
        log.isEmpty ? nil : String(log.suffix(4096))
    }
}

/// What the end of `session-init.sh` means.
enum InitFailure {
    /// - Parameter exitCode: nil if the cluster has forgotten it.
    static func cause(exitCode: Int?, log: String, repository: String) -> SessionFailure {
        let lower = log.lowercased()
        func failure(_ code: String, _ message: String, _ hint: String) -> SessionFailure {
            SessionFailure(code: code, message: message, hint: hint, log: log.isEmpty ? nil : String(log.suffix(4096)))
        }
        if lower.contains("no space left on device") || lower.contains("disk quota exceeded") {
            return StartFailure.diskFull("the session's disk", log)
        }
        switch exitCode {
        case 11:
            return failure(
                "branch_not_found", "Neither the session's branch nor its source branch is on \(repository).",
                "Delete the session and choose a branch that exists.")
        case 12:
            return failure(
                "invalid_input", "The repository or a branch has a name that git does not accept.",
                "Delete the session and choose other names.")
        case 13:
            return failure(
                "folder_in_the_way", "The session's disk has files where the repository should be.",
                "Ask the operator to look at the disk; nothing was touched.")
        default: break
        }
        for rule in rules where rule.signs.contains(where: { lower.contains($0) }) {
            return failure(rule.code, rule.message.replacing("ADDRESS", with: repository), rule.hint)
        }
        return failure(
            "clone_failed", "Cloning \(repository) failed\(StartFailure.words(exitCode)).",
            "git's own last lines tell more.")
    }

    private struct Rule {
        var code: String
        var message: String
        var hint: String
        /// Lower-case parts of git's and curl's messages.
        var signs: [String]
    }

    private static let rules = [
        Rule(
            code: "authentication_required", message: "ADDRESS asks for a sign-in.",
            hint: "If it is private, sign in with an account that may read it; otherwise check the address.",
            signs: [
                "could not read username", "could not read password", "authentication failed", "returned error: 401",
                "returned error: 403", "terminal prompts disabled",
            ]),
        Rule(
            code: "host_not_found", message: "The host of ADDRESS cannot be found.",
            hint: "Check the address for typing errors.", signs: ["could not resolve host"]),
        Rule(
            code: "repository_not_found", message: "There is no repository at ADDRESS.",
            hint: "Check the address; a private repository may also hide behind this answer.",
            signs: [
                "' not found", "repository not found", "returned error: 404", "does not appear to be a git repository",
                "' does not exist",
            ]),
        Rule(
            code: "repository_scheme_refused", message: "git may not use the protocol of ADDRESS here.",
            hint: "Use an https address.", signs: ["' not allowed", "protocol not allowed"]),
        Rule(
            code: "repository_unreachable", message: "The host of ADDRESS does not answer as it should.",
            hint: "Resume the session to try again; if it stays so, the host is down, or sessions may not reach it.",
            signs: [
                "failed to connect", "connection refused", "connection timed out", "connection reset", "early eof",
                "the remote end hung up", "returned error: 5", "returned error: 429", "network is unreachable",
            ]),
    ]
}
