import Glibc
import HTTPClient
import Testing

@testable import KubernetesAPI

@Suite("Requests as values")
struct KubernetesRequestTests {
    @Test("Verb and kind make method and path")
    func targets() {
        let get = KubernetesRequest(.get, .pods, namespace: "code", name: "a", subresource: "log")
        #expect(get.method == .get)
        #expect(get.target == "/api/v1/namespaces/code/pods/a/log")
        let update = KubernetesRequest(.update, .leases, namespace: "code", name: "x")
        #expect(update.method == .put)
        let writing = "?fieldManager=opencode-router&fieldValidation=Strict"
        #expect(update.target == "/apis/coordination.k8s.io/v1/namespaces/code/leases/x" + writing)
        let review = KubernetesRequest(.create, .accessReviews, namespace: nil)
        #expect(review.target == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" + writing)
        #expect(KubernetesRequest(.patch, .pods, namespace: "n").contentType == "application/merge-patch+json")
    }

    @Test("Whatever is in a name or a selector stays in its place")
    func escaping() {
        let odd = KubernetesRequest(.get, .pods, namespace: "../x", name: "a/b?c#d ü")
        #expect(odd.target == "/api/v1/namespaces/..%2Fx/pods/a%2Fb%3Fc%23d%20%C3%BC")
        let list = KubernetesRequest.list(
            .pods, namespace: "n", selector: ObjectSelector(labels: "a/b=c,d"), continuing: "t+/=")
        #expect(
            list.target
                == "/api/v1/namespaces/n/pods?labelSelector=a%2Fb%3Dc%2Cd&limit=250&continue=t%2B%2F%3D")
    }

    @Test("A watch asks for bookmarks, from a version, for a time")
    func watch() {
        let watch = KubernetesRequest.watch(.pods, namespace: "n", selector: ObjectSelector(), from: "7", seconds: 45)
        #expect(
            watch.target == "/api/v1/namespaces/n/pods?watch=true&resourceVersion=7&allowWatchBookmarks=true"
                + "&timeoutSeconds=45")
    }

    @Test("A deletion names the one object it means")
    func deletion() {
        let delete = KubernetesRequest.delete(.pods, namespace: "n", name: "a", uid: "u-1")
        #expect(delete.body?["preconditions"] == ["uid": "u-1"])
    }

    @Test("An error says verb, kind, name, status and the server's words")
    func words() {
        let request = KubernetesRequest(.delete, .pods, namespace: "n", name: "a")
        let error = KubernetesError(request, .status(409, reason: "Conflict", message: "Precondition failed"))
        #expect("\(error)" == "delete Pod a: 409 Conflict: Precondition failed")
        #expect(!error.isPassing)
        #expect(KubernetesError(request, .status(503, reason: "", message: "")).isPassing)
    }
}

@Suite("KUBECONFIG")
struct KubeconfigTests {
    private static func config(cluster: String = "server: https://10.0.0.1:6443", user: String = "token: abc") -> String
    {
        """
        apiVersion: v1
        kind: Config
        current-context: here
        contexts:
        - name: elsewhere
          context: {cluster: other, user: other}
        - name: here
          context: {cluster: c, user: u, namespace: code}
        clusters:
        - name: c
          cluster:
            \(cluster)
        users:
        - {name: other, user: {token: wrong}}
        - name: u
          user:
            \(user)
        """
    }

    @Test("The current context's server, namespace and token count")
    func context() throws {
        let access = try ClusterAccess.kubeconfig(text: Self.config(), folder: "/etc")
        #expect("\(access.server)" == "https://10.0.0.1:6443")
        #expect(access.namespace == "code")
        #expect(access.token == .fixed("abc"))
        #expect(access.prefix == "")
    }

    @Test("Embedded data, files beside the configuration, and a server below a path")
    func material() throws {
        let access = try ClusterAccess.kubeconfig(
            text: Self.config(
                cluster: "{server: \"https://rancher.test/k8s/clusters/c-1/\", certificate-authority-data: UEVN}",
                user: "{client-certificate: pki/me.crt, client-key: /abs/me.key, tokenFile: token, token: x}"),
            folder: "/etc/kube")
        #expect(access.prefix == "/k8s/clusters/c-1")
        #expect(access.authorities == .fixed("PEM"))
        #expect(access.certificate == .file("/etc/kube/pki/me.crt"))
        #expect(access.key == .file("/abs/me.key"))
        #expect(access.token == .file("/etc/kube/token"))
    }

    @Test(
        "What cannot be honoured is refused with its name",
        arguments: [
            ("{server: \"https://a\", insecure-skip-tls-verify: true}", "token: a", "insecure-skip-tls-verify"),
            ("{server: \"https://a\", proxy-url: \"http://p\"}", "token: a", "proxy-url"),
            ("server: https://a", "exec: {command: aws}", "exec"),
            ("server: https://a", "{username: a, password: b}", "username"),
            ("server: https://a", "{auth-provider: {name: gcp}}", "auth-provider"),
            ("server: https://a", "{token: t, as: somebody}", "as"),
            ("server: https://a", "client-key: k", "client-key"),
            ("server: ftp://a", "token: a", "server"),
            ("{server: \"https://a\", certificate-authority-data: \"?\"}", "token: a", "base64"),
            ("server: [", "token: a", "line"),
        ])
    func refusals(cluster: String, user: String, word: String) {
        do throws(AccessProblem) {
            _ = try ClusterAccess.kubeconfig(text: Self.config(cluster: cluster, user: user), folder: "/")
            Issue.record("accepted")
        } catch {
            #expect(error.sentence.contains(word), "\(error.sentence)")
        }
    }

    @Test("The certificate may name somebody else than the address, if the configuration says so")
    func serverName() throws {
        let access = try ClusterAccess.kubeconfig(
            text: Self.config(cluster: "{server: \"https://10.0.0.1:6443\", tls-server-name: kubernetes.default}"),
            folder: "/")
        #expect(access.serverName == "kubernetes.default")
    }

    @Test("Texts that are no configuration are refused", arguments: ["", "[]", "a: *b", "current-context: x"])
    func garbage(text: String) {
        #expect(throws: AccessProblem.self) { try ClusterAccess.kubeconfig(text: text, folder: "/") }
    }

    @Test("A token file is read again for every request")
    func rotation() throws {
        let path = "/tmp/kubernetes-token-\(getpid())"
        defer { unlink(path) }
        func write(_ text: String) {
            let file = fopen(path, "w")
            fputs(text, file)
            fclose(file)
        }
        let text = ClusterAccess.Text.file(path)
        write("one")
        #expect(try text.read() == "one")
        write("two")
        #expect(try text.read() == "two")
    }
}

@Suite("A lease has one holder")
struct LeaseElectionTests {
    private func lease(_ holder: String?, version: String, seconds: Int = 15) -> Lease {
        Lease(
            metadata: ObjectMeta(name: "l", resourceVersion: version),
            spec: .init(holderIdentity: holder, leaseDurationSeconds: seconds))
    }

    @Test("Nobody's lease is taken, ours renewed, somebody's waited for")
    func simple() {
        var election = LeaseElection(identity: "me")
        #expect(election.decide(nil, now: .zero) == .take)
        #expect(election.decide(lease("", version: "1"), now: .zero) == .take)
        #expect(election.decide(lease("me", version: "2"), now: .zero) == .renew)
        #expect(election.decide(lease("you", version: "3"), now: .zero) == .wait)
    }

    @Test("A foreign lease is over when it has not changed for its duration on our own clock")
    func expiry() {
        var election = LeaseElection(identity: "me")
        #expect(election.decide(lease("you", version: "3"), now: .seconds(100)) == .wait)
        #expect(election.decide(lease("you", version: "4"), now: .seconds(114)) == .wait)
        #expect(election.decide(lease("you", version: "4"), now: .seconds(129)) == .wait)
        #expect(election.decide(lease("you", version: "4"), now: .seconds(130)) == .take)
    }

    @Test("Times are written with microseconds")
    func time() {
        let text = Leadership.microtime()
        #expect(text.count == 27 && text.hasSuffix("Z") && text.contains("T"), "\(text)")
    }
}
