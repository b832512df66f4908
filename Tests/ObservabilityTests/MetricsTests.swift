import CoreMetrics
import Synchronization
import Telemetry
import Testing

@testable import Observability

@Suite("Metrics")
struct MetricsTests {
    static func responder(
        _ workers: [WorkerTelemetry] = [WorkerTelemetry()], _ registry: MetricRegistry = MetricRegistry(),
        _ readiness: Readiness = Readiness()
    ) -> OperationsResponder {
        OperationsResponder(workers: workers, registry: registry, readiness: readiness, version: "1.2.3")
    }

    @Test(
        "The format is what Accept asks for",
        arguments: [
            (nil, ExpositionFormat.prometheus), ("*/*", .prometheus), ("text/html", .prometheus),
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75",
                .openMetrics
            ),
            ("application/openmetrics-text; version=1.0.0; q=0.3, text/plain;version=0.0.4;q=0.5", .prometheus),
            ("application/openmetrics-text;version=9.0.0", .prometheus),
            ("application/openmetrics-text;q=0", .prometheus),
        ] as [(String?, ExpositionFormat)])
    func negotiation(accept: String?, expected: ExpositionFormat) {
        #expect(ExpositionFormat(accept: accept) == expected)
    }

    @Test("A counted request is in the text")
    func request() {
        let telemetry = WorkerTelemetry()
        telemetry.request(.session, .get, status: 200, microseconds: 1500, firstByteMicroseconds: 1500)
        telemetry.bytes(.toClient, .spliced, 4096)
        let text = Self.responder([telemetry, WorkerTelemetry()]).respond(target: "/metrics").body
        for line in [
            #"opencode_router_build_info{version="1.2.3"} 1"#, "opencode_router_workers 2",
            #"opencode_router_requests_total{route="session",method="get",status="2xx"} 1"#,
            #"opencode_router_request_duration_seconds_bucket{route="session",le="0.001"} 0"#,
            #"opencode_router_request_duration_seconds_bucket{route="session",le="0.0025"} 1"#,
            #"opencode_router_request_duration_seconds_bucket{route="session",le="+Inf"} 1"#,
            #"opencode_router_request_duration_seconds_sum{route="session"} 0.0015"#,
            #"opencode_router_body_bytes_total{direction="to_client",way="spliced"} 4096"#,
            "# TYPE opencode_router_requests_total counter",
        ] { #expect(text.contains(line + "\n"), "\(line)") }
        #expect(text.utf8.count < 64 << 10)
    }

    @Test(
        "Every sample belongs to the family above it, and no family comes twice",
        arguments: [nil, "application/openmetrics-text"])
    func families(accept: String?) {
        let registry = MetricRegistry()
        registry.set("opencode_router_sessions", [("state", "running")], to: 2)
        registry.observe(0.3, in: "opencode_router_session_start_duration_seconds", [("stage", "a\"\\\n")])
        let telemetry = WorkerTelemetry()
        telemetry.request(.api, .post, status: 500)
        let text = Self.responder([telemetry], registry).respond(target: "/metrics", accept: accept).body
        var seen: Set<Substring> = []
        var family: Substring = ""
        var kind: Substring = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# HELP ") {
                family = line.dropFirst(7).prefix { $0 != " " }
                #expect(seen.insert(family).inserted, "\(family) twice")
            } else if line.hasPrefix("# TYPE ") {
                #expect(line.dropFirst(7).prefix { $0 != " " } == family)
                kind = line.split(separator: " ")[3]
            } else if line != "# EOF" {
                let name = line.prefix { $0 != "{" && $0 != " " }
                let suffixes =
                    kind == "histogram" ? ["_bucket", "_sum", "_count"] : [kind == "counter" ? "_total" : ""]
                let base = accept == nil && kind == "counter" ? family.dropLast("_total".count) : family
                #expect(suffixes.contains { name == base + $0 }, "\(line)")
            }
        }
        #expect(text.hasSuffix("# EOF\n") == (accept != nil))
        #expect(text.contains(#"stage="a\"\\\n""#))
    }

    @Test("What is recorded through swift-metrics is in the text, too")
    func factory() {
        let registry = MetricRegistry()
        Counter(label: "kubernetes_calls", dimensions: [("verb", "list")], factory: registry).increment(by: 3)
        Timer(label: "kubernetes_call_seconds", factory: registry).recordNanoseconds(20_000_000)
        let gauge = Meter(label: "lease_holder", factory: registry)
        gauge.set(1)
        let text = Self.responder([], registry).respond(target: "/metrics").body
        #expect(text.contains("kubernetes_calls_total{verb=\"list\"} 3\n"))
        #expect(text.contains("kubernetes_call_seconds_bucket{le=\"0.025\"} 1\n"))
        #expect(text.contains("kubernetes_call_seconds_sum 0.02\n"))
        #expect(text.contains("lease_holder 1\n"))
    }

    @Test("A label without bounds cannot fill the memory")
    func bounded() {
        let registry = MetricRegistry()
        for number in 0..<2000 { registry.add(to: "wild", [("n", "\(number)")]) }
        let text = Self.responder([], registry).respond(target: "/metrics").body
        #expect(text.split(separator: "\n").filter { $0.hasPrefix("wild_total") }.count == 500)
    }

    @Test(
        "Seconds are exact",
        arguments: [(0, "0"), (1, "0.000001"), (1500, "0.0015"), (2_000_000, "2"), (10_500_000, "10.5")])
    func seconds(microseconds: Int, expected: String) {
        #expect(Exposition.seconds(microseconds: UInt64(microseconds)) == expected)
    }

    @Test("The process tells its own size and age")
    func process() {
        let process = ProcessMetrics()
        #expect(process.residentBytes > 1 << 20)
        #expect(process.openDescriptors >= 3)
        #expect(process.maximumDescriptors >= process.openDescriptors)
        #expect(process.cpuSeconds > 0)
        #expect(abs(process.startTime - Double(LogLine.now()) / 1000) < 600)
    }
}

@Suite("Measured gauges")
struct MeasuredTests {
    @Test("A gauge that grows by itself is read for every scrape, and keeps its number while there is none")
    func measured() {
        let registry = MetricRegistry([])
        let number = Atomic(1)
        registry.measure("opencode_router_x_seconds", [("of", "a")]) {
            let value = number.load(ordering: .relaxed)
            return value > 2 ? nil : Double(value)
        }
        for expected in ["1", "2", "2"] {
            let text = MetricsTests.responder([], registry).respond(target: "/metrics").body
            #expect(text.contains("opencode_router_x_seconds{of=\"a\"} \(expected)\n"))
            number.add(1, ordering: .relaxed)
        }
    }
}

@Suite("Health")
struct HealthTests {
    @Test("Ready only when every part is, and never again after draining began")
    func readiness() {
        let readiness = Readiness()
        let responder = MetricsTests.responder([], MetricRegistry(), readiness)
        #expect(responder.respond(target: "/readyz").status == 503)
        readiness.set(.listeners, nil)
        readiness.set(.directory, "the API server does not answer")
        let waiting = responder.respond(target: "/readyz")
        #expect(waiting.status == 503)
        #expect(waiting.body == "not ready: session directory: the API server does not answer\n")
        readiness.set(.directory, nil)
        #expect(responder.respond(target: "/readyz?verbose").status == 200)
        readiness.set(.sync, "the API server is away")
        #expect(responder.respond(target: "/readyz?verbose").status == 503)
        #expect(responder.respond(target: "/readyz?verbose&exclude=sync").status == 200)
        readiness.set(.permissions, "missing")
        #expect(responder.respond(target: "/readyz?exclude=sync").body == "not ready: permissions: missing\n")
        readiness.set(.sync, nil)
        readiness.set(.permissions, nil)
        readiness.drain()
        #expect(responder.respond(target: "/readyz").body == "not ready: shutdown: draining\n")
        #expect(responder.respond(target: "/healthz").status == 200)
    }

    @Test("Other paths are not found")
    func unknown() {
        #expect(MetricsTests.responder().respond(target: "/").status == 404)
    }
}
