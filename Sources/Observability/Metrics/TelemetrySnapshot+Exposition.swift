internal import Telemetry

extension Exposition {
    /// Everything that the workers count.
    mutating func workers(_ snapshot: TelemetrySnapshot, count: Int) {
        gauge("opencode_router_workers", help: "Proxy threads.", "\(count)")
        requests(snapshot)
        latencies(snapshot)
        traffic(snapshot)
        connections(snapshot)
        failures(snapshot)
        loops(snapshot)
    }

    private mutating func requests(_ snapshot: TelemetrySnapshot) {
        let name = "opencode_router_requests"
        family(name, .counter, "Finished requests.")
        for kind in RouteKind.allCases {
            for method in MethodClass.allCases {
                for status in StatusClass.allCases {
                    // Most of the 360 combinations never happen.
                    let value = snapshot.requests(kind, method, status)
                    if value > 0 {
                        counter(
                            name, [("route", kind.name), ("method", method.name), ("status", status.name)], "\(value)")
                    }
                }
            }
        }
    }

    private mutating func latencies(_ snapshot: TelemetrySnapshot) {
        let duration = "opencode_router_request_duration_seconds"
        family(
            duration, .histogram,
            "Time from a request's head to the end of its answer; event streams and tunnels are left out.")
        for kind in RouteKind.allCases { histogram(duration, [("route", kind.name)], snapshot.duration(kind)) }
        let firstByte = "opencode_router_time_to_first_byte_seconds"
        family(firstByte, .histogram, "Time from a request's head to the first byte of its answer.")
        for kind in RouteKind.allCases { histogram(firstByte, [("route", kind.name)], snapshot.firstByte(kind)) }
    }

    private mutating func traffic(_ snapshot: TelemetrySnapshot) {
        let name = "opencode_router_body_bytes"
        family(
            name, .counter,
            "Bytes of bodies, with the heads that leave together with them, and of tunnels, by how they were moved.")
        for direction in ByteDirection.allCases {
            for way in ByteWay.allCases {
                counter(
                    name, [("direction", direction.name), ("way", way.name)], "\(snapshot.bytes(direction, way))")
            }
        }
    }

    private mutating func connections(_ snapshot: TelemetrySnapshot) {
        gauge(
            "opencode_router_client_connections", help: "Open connections from clients.",
            "\(snapshot[.clientConnections])")
        counter(
            "opencode_router_client_connections_accepted", help: "Connections accepted from clients.",
            snapshot[.connectionsAccepted])
        let upstream = "opencode_router_upstream_connections"
        family(upstream, .gauge, "Open connections to sessions.")
        gauge(upstream, [("state", "idle")], "\(snapshot[.upstreamIdle])")
        gauge(upstream, [("state", "in_use")], "\(snapshot[.upstreamInUse])")
        counter(
            "opencode_router_upstream_connections_opened", help: "Connections made to sessions.",
            snapshot[.upstreamOpened])
        counter(
            "opencode_router_upstream_connections_reused",
            help: "Requests sent on a connection that had served before.",
            snapshot[.upstreamReused])
        counter(
            "opencode_router_upstream_retries", help: "Requests sent again because a reused connection had died.",
            snapshot[.upstreamRetried])
        gauge("opencode_router_tunnels", help: "Open WebSocket tunnels.", "\(snapshot[.tunnels])")
        counter("opencode_router_tunnels_opened", help: "WebSocket tunnels opened.", snapshot[.tunnelsOpened])
        gauge("opencode_router_event_streams", help: "Open event streams.", "\(snapshot[.streams])")
        counter("opencode_router_event_streams_opened", help: "Event streams opened.", snapshot[.streamsOpened])
        counter(
            "opencode_router_wake_requests", help: "Page loads that asked for a stopped session to start.",
            snapshot[.wakeUps])
    }

    private mutating func failures(_ snapshot: TelemetrySnapshot) {
        let faults = "opencode_router_upstream_errors"
        family(faults, .counter, "Sessions that did not answer as they should.")
        for fault in UpstreamFault.allCases {
            counter(faults, [("cause", fault.name)], "\(snapshot.upstreamFaults(fault))")
        }
        let refusals = "opencode_router_refusals"
        family(refusals, .counter, "Requests that the router itself refused.")
        for reason in RefusalReason.allCases {
            counter(refusals, [("reason", reason.name)], "\(snapshot.refusals(reason))")
        }
        counter(
            "opencode_router_slow_clients", help: "Clients cut off because they moved too few bytes.",
            snapshot[.slowClients])
        counter(
            "opencode_router_access_records_dropped", help: "Access log lines dropped because the log was slow.",
            snapshot[.accessRecordsDropped])
    }

    private mutating func loops(_ snapshot: TelemetrySnapshot) {
        let lag = "opencode_router_loop_lag_seconds"
        family(lag, .histogram, "How late a worker's loop came to something that was due.")
        histogram(lag, [], snapshot.loopLag)
        counter("opencode_router_loop_wakeups", help: "Times that a worker's loop woke.", snapshot[.loopWakeups])
        counter(
            "opencode_router_loop_foreign_jobs", help: "Jobs put on a worker's loop by other threads.",
            snapshot[.foreignEnqueues])
        let pipes = "opencode_router_pipes"
        family(pipes, .gauge, "Pipes for splicing.")
        gauge(pipes, [("state", "pool")], "\(snapshot[.pipesInPool])")
        gauge(pipes, [("state", "in_use")], "\(snapshot[.pipesInUse])")
        counter(
            "opencode_router_pipe_shortages", help: "Bodies copied because no pipe was to be had.",
            snapshot[.pipesRefused])
        gauge(
            "opencode_router_buffers_in_use", help: "Buffers that hold bytes in flight.", "\(snapshot[.buffersInUse])")
        counter(
            "opencode_router_accept_pauses", help: "Times that accepting paused for want of descriptors.",
            snapshot[.acceptPauses])
    }

    private mutating func histogram(_ name: String, _ labels: [(String, String)], _ value: HistogramSnapshot) {
        histogram(
            name, labels, bounds: HistogramBuckets.bounds.map(Exposition.seconds), counts: value.buckets,
            sum: Exposition.seconds(microseconds: value.sumMicroseconds))
    }
}
