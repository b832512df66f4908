import Foundation
import KubernetesAPI
import Sessions
import Testing

@testable import KubernetesSessions

/// Facts as the API server would send them, written as JSON.
enum Facts {
    static let id = SessionID("0123456789ab")!

    static func claim(_ annotations: [String: String] = [:], phase: String = "Bound", deleted: Bool = false)
        -> PersistentVolumeClaim
    {
        var notes = [
            "opencode.ai/user-email": "Ann@Example.com", "opencode.ai/repo-url": "https://git.test/a/b",
            "opencode.ai/branch": "work", "opencode.ai/source-branch": "main",
            "opencode.ai/created-at": "2026-01-02T03:04:05.678Z", "opencode.ai/attach-password": "p",
        ]
        notes.merge(annotations) { $1 }
        return decode(
            [
                "metadata": [
                    "name": "opencode-pvc-0123456789ab", "uid": "claim", "annotations": .strings(notes),
                    "deletionTimestamp": deleted ? "2026-01-02T03:04:05Z" : .null,
                ], "status": ["phase": .string(phase)],
            ])
    }

    static func pod(
        phase: String = "Pending", reason: JSONValue = .null, message: JSONValue = .null,
        scheduled: JSONValue = ["type": "PodScheduled", "status": "True"],
        ready: JSONValue = ["type": "Ready", "status": "False", "reason": "ContainersNotReady"],
        initial: JSONValue? = nil, agent: JSONValue? = nil, sidecar: JSONValue? = nil, ip: JSONValue = .null,
        deleted: Bool = false, annotations: [String: String] = [:]
    ) -> Pod {
        var status: JSONValue = [
            "phase": .string(phase), "reason": reason, "message": message, "podIP": ip,
            "conditions": [scheduled, ready],
        ]
        if let initial { status["initContainerStatuses"] = [merged(initial, "init")] }
        if let agent {
            status["containerStatuses"] = .array(
                [merged(agent, "opencode")] + (sidecar.map { [merged($0, "chromium")] } ?? []))
        }
        return decode(
            [
                "metadata": [
                    "name": "opencode-session-0123456789ab", "uid": "pod-1",
                    "annotations": .strings(
                        annotations.merging(["opencode.ai/repo-url": "https://git.test/a/b"]) { $1 }),
                    "deletionTimestamp": deleted ? "2026-01-02T03:04:05Z" : .null,
                ],
                "spec": [
                    "containers": [
                        ["name": "opencode", "env": [["name": "OPENCODE_SERVER_PASSWORD", "value": "pw"]]]
                    ]
                ], "status": status,
            ])
    }

    static func merged(_ status: JSONValue, _ name: String) -> JSONValue {
        var status = status
        status["name"] = .string(name)
        status["image"] = "image:1"
        return status
    }

    private static func decode<Object: KubernetesObject>(_ document: JSONValue) -> Object {
        DocumentCoding.decode(document)
    }

    static let waiting: JSONValue = ["state": ["waiting": ["reason": "PodInitializing"]]]
    static let running: JSONValue = ["state": ["running": [:]]]
    static let done: JSONValue = ["state": ["terminated": ["exitCode": 0]]]

    static func stuck(_ reason: String, _ message: String = "words") -> JSONValue {
        ["state": ["waiting": ["reason": .string(reason), "message": .string(message)]]]
    }

    static func looping(_ code: Int, _ message: String, reason: String = "Error") -> JSONValue {
        [
            "state": ["waiting": ["reason": "CrashLoopBackOff"]], "restartCount": 4,
            "lastState": [
                "terminated": [
                    "exitCode": .number(code), "reason": .string(reason), "message": .string(message),
                ]
            ],
        ]
    }
}

@Suite("What a session is follows from its claim and its pod")
struct DerivationTests {
    @Test(
        "States and stages",
        arguments: [
            (nil, "stopped"),
            (Facts.pod(scheduled: ["type": "PodScheduled", "status": "False"]), "initializing"),
            (Facts.pod(), "configuring"),
            (Facts.pod(initial: Facts.waiting, agent: Facts.waiting), "configuring"),
            (Facts.pod(initial: Facts.running, agent: Facts.waiting), "preparing"),
            (Facts.pod(initial: Facts.done, agent: Facts.waiting), "starting"),
            (Facts.pod(phase: "Running", initial: Facts.done, agent: Facts.running, ip: "10.0.0.9"), "readying"),
            (Facts.pod(deleted: true), "stopping"),
        ] as [(Pod?, String)])
    func states(pod: Pod?, expected: String) {
        let state = SessionDerivation.state(claim: Facts.claim(), pod: pod, warnings: [])
        if case .creating(let stage) = state {
            #expect(stage.rawValue == expected)
        } else {
            #expect(state.name == expected)
        }
    }

    @Test("A ready agent with an address runs, whatever its sidecar does; on a lost node it does not")
    func running() {
        let ready: JSONValue = ["state": ["running": [:]], "ready": true]
        let expected = SessionState.running(
            SessionEndpoint(incarnation: "pod-1", address: "10.0.0.9", port: 4096, password: "pw"))
        func state(_ condition: JSONValue, ip: JSONValue = "10.0.0.9") -> SessionState {
            let pod = Facts.pod(
                phase: "Running", ready: condition, initial: Facts.done, agent: ready,
                sidecar: Facts.stuck("CrashLoopBackOff"), ip: ip)
            return SessionDerivation.state(claim: Facts.claim(), pod: pod, warnings: [])
        }
        #expect(state(["type": "Ready", "status": "True"]) == expected)
        #expect(state(["type": "Ready", "status": "False", "reason": "ContainersNotReady"]) == expected)
        #expect(state(["type": "Ready", "status": "False", "reason": "NodeLost"]).name == "creating")
        #expect(state(["type": "Ready", "status": "True"], ip: .null).name == "creating")
    }

    @Test(
        "Of a status that says little, what it says counts",
        arguments: [
            ("{}", "initializing"),
            (#"{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"True"}]}"#, "configuring"),
            (#"{"phase":"Running","podIP":"10.0.0.9"}"#, "initializing"),
            (#"{"conditions":[{"type":"Initialized","status":"True"}]}"#, "starting"),
            (#"{"podIP":"10.0.0.9","conditions":[{"type":"Ready","status":"True"}]}"#, "running"),
            (#"{"conditions":[{"type":"Ready","status":"True"}]}"#, "initializing"),
            (#"{"podIP":"10.0.0.9","conditions":[{"type":"Ready","status":"False"}]}"#, "initializing"),
            (
                #"{"phase":"Running","podIP":"10.0.0.9","podIPs":[{"ip":"10.0.0.9"},{"ip":"fd00::9"}],"#
                    + #""containerStatuses":[{"name":"opencode","ready":true,"restartCount":0,"image":"","imageID":""}]}"#,
                "running"
            ),
            (
                #"{"podIP":"10.0.0.9","conditions":[{"type":"Ready","status":"True"}],"#
                    + #""containerStatuses":[{"name":"opencode","ready":false}]}"#, "initializing"
            ),
            (
                #"{"phase":"Failed","podIP":"10.0.0.9","conditions":[{"type":"Ready","status":"True"}]}"#,
                "failed"
            ),
            (#"{"initContainerStatuses":[{"name":"init","state":{"running":{}}}]}"#, "preparing"),
            (#"{"initContainerStatuses":[{"name":"init","state":{"terminated":{"exitCode":0}}}]}"#, "starting"),
            (#"{"phase":"Running","containerStatuses":[{"name":"opencode","state":{"running":{}}}]}"#, "readying"),
            (
                #"{"containerStatuses":[{"name":"opencode","state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}"#,
                "failed"
            ),
            (
                #"{"initContainerStatuses":[{"name":"init","state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}"#,
                "failed"
            ),
        ])
    func minimal(status: String, expected: String) throws {
        let text = #"{"metadata":{"name":"opencode-session-0123456789ab","uid":"u"},"status":\#(status)}"#
        let pod = try JSONDecoder().decode(Pod.self, from: Data(text.utf8))
        states(pod: pod, expected: expected)
    }

    @Test(
        "An image that cannot be pulled is named, whether its status names it or not",
        arguments: [("init", "agent:1"), ("opencode", "agent:1"), ("chromium", "browser:1"), ("other", "agent:1")])
    func unnamedImage(container: String, image: String) {
        let pod: Pod = DocumentCoding.decode([
            "metadata": ["name": "opencode-session-0123456789ab", "uid": "pod-1"],
            "spec": [
                "containers": [
                    ["name": "chromium", "image": "browser:1"], ["name": "opencode", "image": "agent:1"],
                ]
            ],
            "status": [
                "containerStatuses": [
                    ["name": .string(container), "image": "", "state": ["waiting": ["reason": "ErrImagePull"]]]
                ]
            ],
        ])
        let failure = SessionDerivation.failure(of: pod, claim: nil, warnings: [])
        #expect(failure?.message == "The image \(image) cannot be pulled.")
    }

    @Test(
        "The editor is where its container says, else at the usual port, while it runs",
        arguments: [
            ([:], true, 7681), (["ports": [["containerPort": 7777]]], true, 7777),
            (["env": [["name": "EDITOR_PORT", "value": "7778"]]], true, 7778),
            (["ports": [["containerPort": 70000]]], true, nil), ([:], false, nil), (nil, true, nil),
        ] as [(JSONValue?, Bool, UInt16?)])
    func editor(container: JSONValue?, isReady: Bool, expected: UInt16?) {
        let container = container.map { Facts.merged($0, "editor") }
        let pod: Pod = DocumentCoding.decode([
            "metadata": ["name": "opencode-session-0123456789ab", "uid": "pod-1"],
            "spec": ["containers": .array([container].compactMap { $0 })],
            "status": ["containerStatuses": [["name": "editor", "ready": .bool(isReady)]]],
        ])
        #expect(SessionDerivation.editorPort(of: pod) == expected)
    }

    static let clone = "fatal: could not read Username for 'https://git.test': terminal prompts disabled"

    @Test(
        "Hopeless starts have a cause",
        arguments: [
            (
                Facts.pod(scheduled: [
                    "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/3 nodes are available: 3 Insufficient memory.",
                ]), "unschedulable"
            ),
            (Facts.pod(initial: Facts.stuck("ErrImagePull"), agent: Facts.waiting), "image_pull_failed"),
            (Facts.pod(initial: Facts.stuck("ImagePullBackOff"), agent: Facts.waiting), "image_pull_failed"),
            (
                Facts.pod(initial: Facts.done, agent: Facts.waiting, sidecar: Facts.stuck("ErrImagePull")),
                "image_pull_failed"
            ),
            (Facts.pod(initial: Facts.stuck("InvalidImageName"), agent: Facts.waiting), "invalid_image_name"),
            (Facts.pod(initial: Facts.done, agent: Facts.stuck("CreateContainerConfigError")), "container_not_started"),
            (Facts.pod(initial: Facts.looping(10, "fatal: odd"), agent: Facts.waiting), "clone_failed"),
            (Facts.pod(initial: Facts.looping(10, clone), agent: Facts.waiting), "authentication_required"),
            (Facts.pod(initial: Facts.looping(11, "no branch"), agent: Facts.waiting), "branch_not_found"),
            (
                Facts.pod(initial: Facts.looping(10, "No space left on device"), agent: Facts.waiting), "disk_full"
            ),
            (
                Facts.pod(initial: Facts.looping(137, "", reason: "OOMKilled"), agent: Facts.waiting), "out_of_memory"
            ),
            (
                Facts.pod(
                    initial: [
                        "state": ["running": [:]], "lastState": ["terminated": ["exitCode": 11, "message": "x"]],
                    ], agent: Facts.waiting), "branch_not_found"
            ),
            (Facts.pod(phase: "Running", initial: Facts.done, agent: Facts.looping(1, "boom")), "crash_loop"),
            (
                Facts.pod(phase: "Running", initial: Facts.done, agent: Facts.looping(137, "", reason: "OOMKilled")),
                "out_of_memory"
            ),
            (Facts.pod(phase: "Failed", reason: "Evicted", message: "low on memory"), "evicted"),
            (
                Facts.pod(phase: "Failed", reason: "Evicted", message: "The node was low on ephemeral-storage"),
                "disk_full"
            ),
            (Facts.pod(phase: "Failed", reason: "NodeLost"), "pod_ended"),
        ])
    func causes(pod: Pod, code: String) {
        guard case .failed(let failure) = SessionDerivation.state(claim: Facts.claim(), pod: pod, warnings: []) else {
            Issue.record("not failed")
            return
        }
        #expect(failure.code == code)
        #expect(failure.message.hasSuffix(".") && !failure.hint.isEmpty)
    }

    @Test("The last lines of git and of the agent are kept")
    func logs() {
        let pod = Facts.pod(initial: Facts.looping(10, Self.clone), agent: Facts.waiting)
        let state = SessionDerivation.state(claim: Facts.claim(), pod: pod, warnings: [])
        guard case .failed(let failure) = state else { return #expect(Bool(false)) }
        #expect(failure.log == Self.clone)
    }

    @Test("A disk that is refused again and again is stuck; once is haste, and a volume in the making is none")
    func volumes() {
        func state(_ warning: ClusterWarning, _ pod: Pod = Facts.pod()) -> String {
            let state = SessionDerivation.state(claim: Facts.claim(), pod: pod, warnings: [warning])
            if case .failed(let failure) = state { return failure.code }
            return state.name
        }
        let attach = ClusterWarning(reason: "FailedAttachVolume", message: "Multi-Attach error", count: 1)
        #expect(state(attach) == "creating")
        #expect(state(ClusterWarning(reason: "FailedAttachVolume", message: "", count: 3)) == "volume_stuck")
        #expect(state(ClusterWarning(reason: "BackOff", message: "", count: 30)) == "creating")
        let unbound = Facts.pod(scheduled: [
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
        ])
        #expect(state(attach, unbound) == "creating")
        let refused = ClusterWarning(reason: "ProvisioningFailed", message: "no storage class", count: 1)
        #expect(state(refused, unbound) == "volume_stuck")
    }

    @Test("The record of a session is in its claim's annotations, the original's included")
    func record() throws {
        let claim = Facts.claim([
            "opencode.ai/initial-message": "do it", "opencode.ai/session-id": "ses_1",
            "opencode.ai/idle-timeout-minutes": "30", "opencode.ai/last-activity": "2026-01-02T04:00:00Z",
        ])
        let session = try #require(SessionDerivation.session(Facts.id, claim: claim, pod: nil))
        #expect(session.owner == "ann@example.com")
        #expect(session.key.repositoryURL == "https://git.test/a/b")
        #expect(session.sourceBranch == "main" && session.key.branch == "work")
        #expect("\(session.createdAt)" == "2026-01-02T03:04:05.678Z")
        #expect(session.initialMessage == "do it" && session.conversationID == "ses_1")
        #expect(session.idleTimeoutMinutes == 30 && session.attachPassword == "p")
        let pod = Facts.pod(annotations: [
            "opencode.ai/last-activity": "2026-01-02T05:00:00Z", "opencode.ai/activity-source": "tunnel",
        ])
        let used = try #require(SessionDerivation.session(Facts.id, claim: claim, pod: pod))
        #expect(used.activity.source == .tunnel && "\(used.activity.at)".hasPrefix("2026-01-02T05"))
    }

    @Test("Without an owner a claim is nobody's session; without a repository it is a blank project")
    func edges() {
        let nobody = Facts.claim(["opencode.ai/user-email": ""])
        #expect(SessionDerivation.session(Facts.id, claim: nobody, pod: nil) == nil)
        let blank = Facts.claim(["opencode.ai/repo-url": ""])
        #expect(SessionDerivation.session(Facts.id, claim: blank, pod: nil)?.key.repositoryURL == nil)
    }

    @Test("A claim that is being deleted is a session while its pod ends, and none after that")
    func deleted() {
        let claim = Facts.claim(deleted: true)
        #expect(SessionDerivation.session(Facts.id, claim: claim, pod: Facts.pod(deleted: true))?.state == .stopping)
        #expect(SessionDerivation.session(Facts.id, claim: claim, pod: nil) == nil)
    }

    @Test("A refused start is told by every replica until the next one")
    func refusedStart() {
        let request = KubernetesRequest(.create, .pods, namespace: "n")
        func code(_ status: Int, _ message: String) -> String? {
            StartFailure.refusal(KubernetesError(request, .status(status, reason: "Forbidden", message: message)))?.code
        }
        #expect(code(403, "pods \"x\" is forbidden: exceeded quota: q, requested: pods=1") == "quota_exceeded")
        #expect(code(403, "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"") == "admission_denied")
        #expect(code(400, "admission webhook \"w\" denied the request: no") == "admission_denied")
        let policy =
            "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: it cannot be"
        #expect(code(422, policy) == "admission_denied" && code(403, policy) == "admission_denied")
        #expect(code(403, "pods is forbidden: User \"r\" cannot create resource \"pods\"") == "permission_missing")
        #expect(code(422, "Pod \"x\" is invalid: spec") == "object_refused")
        #expect(code(404, "namespaces \"n\" not found") == "namespace_missing")
        #expect(code(503, "etcd") == nil && code(409, "exists") == nil)
        let failure = SessionFailure(code: "quota_exceeded", message: "m.", hint: "h", log: "l")
        let claim = Facts.claim(["opencode.ai/start-failure": StartFailure.annotation(failure)])
        #expect(SessionDerivation.state(claim: claim, pod: nil, warnings: []) == .failed(failure))
    }
}

@Suite("Documents of a session's objects")
struct DocumentTests {
    private func pod(_ change: (inout KubernetesSessionSettings) -> Void = { _ in }) -> JSONValue {
        var settings = KubernetesSessionSettings(
            image: "image:1", initScript: "echo $HOME $(date) $$", agentScript: "opencode")
        change(&settings)
        let session = SessionDerivation.session(
            Facts.id, claim: Facts.claim(["opencode.ai/branch": "$(HOME)`;$x"]), pod: nil)!
        return SessionDocuments.pod(
            Facts.id, session, secrets: .init(callback: "c", agent: "a"), now: Timestamp(milliseconds: 0), settings)
    }

    @Test("Every container is as restricted as the strictest standard asks, the browser too")
    func security() throws {
        let spec = try #require(pod { $0.chromiumImage = "chromium:1" }["spec"])
        let containers = (spec["initContainers"]?.elements ?? []) + (spec["containers"]?.elements ?? [])
        #expect(containers.count == 3)
        for container in containers {
            let security = container["securityContext"]
            #expect(security?["allowPrivilegeEscalation"] == false)
            #expect(security?["runAsNonRoot"] == true)
            #expect(security?["capabilities"] == ["drop": ["ALL"]])
            #expect(security?["seccompProfile"] == ["type": "RuntimeDefault"])
            #expect(container["resources"]?["limits"] != nil)
        }
        #expect(spec["automountServiceAccountToken"] == false && spec["enableServiceLinks"] == false)
    }

    @Test("Nothing of a repository or a branch is ever part of a command")
    func hostile() {
        let spec = pod()["spec"]
        let initial = spec?["initContainers"]?.elements?.first
        #expect(initial?["command"] == ["/bin/sh", "-c", "echo $$HOME $$(date) $$$$", "session-init"])
        let branch = initial?["env"]?.elements?.first { $0["name"] == "SESSION_BRANCH" }
        #expect(branch?["value"] == "$$(HOME)`;$$x")
    }

    @Test("Without a limit there is none, and without a browser no sidecar and no address for it")
    func options() {
        let plain = pod { $0.memoryLimit = nil }["spec"]?["containers"]?.elements ?? []
        #expect(plain.count == 1)
        #expect(plain[0]["resources"]?["limits"] == .object([:]))
        let names = plain[0]["env"]?.elements?.compactMap { $0["name"]?.text } ?? []
        #expect(!names.contains("PLAYWRIGHT_MCP_CDP_ENDPOINT") && names.contains("OPENCODE_POD_SECRET"))
    }

    @Test("The deployment's variables are the agent's, but none that the pod itself needs, and models give way")
    func deploymentVariables() {
        let agent = pod {
            $0.environment = [("EXTRA", "a=$b"), ("OPENCODE_POD_SECRET", "stolen")]
            $0.models = ["CODING": "acme/large"]
            $0.metricsURL = "http://metrics:8428"
        }["spec"]?["containers"]?.elements?.first
        func values(_ name: String) -> [String] {
            agent?["env"]?.elements?.filter { $0["name"]?.text == name }.compactMap { $0["value"]?.text } ?? []
        }
        #expect(values("EXTRA") == ["a=$$b"])
        #expect(values("OPENCODE_POD_SECRET") == ["c"])
        #expect(values("VICTORIA_METRICS_URL") == ["http://metrics:8428"])
        #expect(values("DEFAULT_OPENCODE_MODEL_CODING") == ["acme/large"])
        #expect(values("OPENCODE_MODEL_CODING").isEmpty)
    }

    @Test("The later source of variables wins: everybody's keys, the token, the user's own")
    func sources() {
        let agent = pod()["spec"]?["containers"]?.elements?.first
        let names = agent?["envFrom"]?.elements?.compactMap { $0["secretRef"]?["name"]?.text } ?? []
        #expect(names.count == 3 && names[0] == "opencode-api-keys" && names[1] == "opencode-github-0123456789ab")
        #expect(names[2].hasPrefix("opencode-user-") && names[2].count == 26)
    }
}
