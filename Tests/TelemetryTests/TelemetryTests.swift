import Testing

@testable import Telemetry

@Suite("Telemetry")
struct TelemetryTests {
    @Test("A request is counted once, under its kind, method and status class")
    func requests() {
        let telemetry = WorkerTelemetry()
        telemetry.request(.session, .get, status: 200, microseconds: 900, firstByteMicroseconds: 400)
        telemetry.request(.session, .get, status: 204)
        telemetry.request(.api, .post, status: 0)
        let snapshot = telemetry.snapshot()
        var total: UInt64 = 0
        for kind in RouteKind.allCases {
            for method in MethodClass.allCases {
                for status in StatusClass.allCases { total += snapshot.requests(kind, method, status) }
            }
        }
        #expect(total == 3)
        #expect(snapshot.requests(.session, .get, .success) == 2)
        #expect(snapshot.requests(.api, .post, .aborted) == 1)
        #expect(snapshot.duration(.session).count == 1)
        #expect(snapshot.duration(.session).sumMicroseconds == 900)
        #expect(snapshot.firstByte(.session).buckets[0] == 1)
        #expect(snapshot.duration(.api).count == 0)
    }

    @Test("No two numbers share a cell")
    func cells() {
        let telemetry = WorkerTelemetry()
        var expected = TelemetrySnapshot()
        #expect(telemetry.snapshot() == expected)
        for (index, counter) in Counter.allCases.enumerated() { telemetry.count(counter, UInt64(index + 1)) }
        for (index, gauge) in Gauge.allCases.enumerated() { telemetry.set(gauge, -index) }
        for reason in RefusalReason.allCases { telemetry.refusal(reason) }
        for fault in UpstreamFault.allCases { telemetry.upstreamFault(fault) }
        for direction in ByteDirection.allCases {
            for way in ByteWay.allCases { telemetry.bytes(direction, way, 10 + Int(way.rawValue)) }
        }
        telemetry.loopLag(microseconds: 70_000_000)
        expected = telemetry.snapshot()
        for (index, counter) in Counter.allCases.enumerated() { #expect(expected[counter] == UInt64(index + 1)) }
        for (index, gauge) in Gauge.allCases.enumerated() { #expect(expected[gauge] == Int64(-index)) }
        for reason in RefusalReason.allCases { #expect(expected.refusals(reason) == 1) }
        for fault in UpstreamFault.allCases { #expect(expected.upstreamFaults(fault) == 1) }
        #expect(expected.bytes(.toUpstream, .memory) == 12)
        #expect(expected.loopLag.buckets.last == 1)
    }

    @Test("The walk through the buckets agrees with their bounds")
    func buckets() {
        #expect(HistogramBuckets.bounds.count + 1 == HistogramBuckets.count)
        for (index, bound) in HistogramBuckets.bounds.enumerated() {
            #expect(HistogramBuckets.index(bound) == index)
            #expect(HistogramBuckets.index(bound + 1) == index + 1)
        }
        #expect(HistogramBuckets.index(0) == 0)
    }

    @Test("Method classes stand in the order of HTTP's methods on the wire floor")
    func methodOrder() {
        #expect(
            MethodClass.allCases.map(\.name) == [
                "get", "head", "post", "put", "delete", "patch", "options", "connect", "trace", "other",
            ])
    }

    @Test("Workers add up, gauges that went down included")
    func sum() {
        let workers = [WorkerTelemetry(), WorkerTelemetry()]
        workers[0].adjust(.tunnels, by: 3)
        workers[0].adjust(.tunnels, by: -2)
        workers[1].adjust(.tunnels, by: 4)
        #expect(TelemetrySnapshot(workers)[.tunnels] == 5)
    }

    @Test("A reader never sees a counter go back while its writer counts")
    func concurrentReader() async {
        let telemetry = WorkerTelemetry()
        await withTaskGroup { group in
            group.addTask { for _ in 0..<200_000 { telemetry.count(.connectionsAccepted) } }
            group.addTask {
                var last: UInt64 = 0
                for _ in 0..<2_000 {
                    let value = telemetry.snapshot()[.connectionsAccepted]
                    #expect(value >= last)
                    last = value
                }
            }
        }
        #expect(telemetry.snapshot()[.connectionsAccepted] == 200_000)
    }
}

@Suite("Access records")
struct AccessRingTests {
    static func record(_ status: Int) -> AccessRecord {
        AccessRecord(time: 0, kind: .asset, method: "GET", host: "example.com", status: status, microseconds: 1)
    }

    @Test("A full ring drops and counts; it never grows or waits")
    func full() {
        let telemetry = WorkerTelemetry(accessLog: AccessRing(capacity: 3))
        for status in 1...5 { telemetry.access(Self.record(status)) }
        #expect(telemetry.snapshot()[.accessRecordsDropped] == 2)
        #expect(telemetry.accessLog?.pop()?.status == 1)
        telemetry.access(Self.record(6))
        #expect([2, 3, 6, nil] == (0..<4).map { _ in telemetry.accessLog?.pop()?.status })
    }

    @Test("Without an access log a record is not even made")
    func off() {
        WorkerTelemetry().access(
            {
                Issue.record("made")
                return Self.record(1)
            }())
    }

    @Test("Every record arrives once and in order, whoever is faster")
    func order() async {
        let ring = AccessRing(capacity: 16)
        await withTaskGroup { group in
            group.addTask {
                for number in 0..<20_000 { while !ring.push(Self.record(number)) { await Task.yield() } }
            }
            group.addTask {
                for number in 0..<20_000 {
                    var record = ring.pop()
                    while record == nil {
                        await Task.yield()
                        record = ring.pop()
                    }
                    #expect(record?.status == number)
                }
            }
        }
    }
}
