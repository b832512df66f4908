internal import Synchronization

/// The numbers of the control side: few, slow, from any task; the byte path has `WorkerTelemetry`.
package final class MetricRegistry: Sendable {
    /// One sample's identity inside its family.
    private struct Labels: Hashable {
        var pairs: [String]

        init(_ labels: [(String, String)]) { pairs = labels.flatMap { [$0.0, $0.1] } }

        var list: [(String, String)] { stride(from: 0, to: pairs.count, by: 2).map { (pairs[$0], pairs[$0 + 1]) } }
    }

    private enum Value {
        case number(Double)
        case histogram(counts: [UInt64], sum: Double)
    }

    private struct Family {
        var description: MetricDescription
        var samples: [Labels: Value] = [:]
        /// Samples in the order in which they came, so that a scrape reads alike every time.
        var order: [Labels] = []
    }

    private struct State {
        var families: [String: Family] = [:]
        var order: [String] = []
        /// Gauges that grow by themselves, read when somebody asks.
        var measured: [(name: String, labels: [(String, String)], read: @Sendable () -> Double?)] = []
    }

    private let state: Mutex<State>

    /// A family holds at most so many samples: a label that turns out to be unbounded cannot eat the memory.
    private static let maximumSamples = 500

    package init(_ known: [MetricDescription] = MetricDescription.known) {
        state = Mutex(
            State(
                families: Dictionary(uniqueKeysWithValues: known.map { ($0.name, Family(description: $0)) }),
                order: known.map(\.name)))
    }

    /// Adds to a counter, or moves a gauge.
    package func add(
        _ amount: Double = 1, to name: String, _ labels: [(String, String)] = [], kind: MetricKind = .counter
    ) {
        change(name, kind, labels) { value, _ in
            if case .number(let old) = value { value = .number(old + amount) }
        }
    }

    /// Sets a gauge, or a counter that something else counts.
    package func set(_ name: String, _ labels: [(String, String)] = [], to number: Double, kind: MetricKind = .gauge) {
        change(name, kind, labels) { value, _ in value = .number(number) }
    }

    /// Sets a gauge anew for every scrape; nil leaves it as it is. `read` must be quick and must not call the registry.
    package func measure(
        _ name: String, _ labels: [(String, String)] = [], _ read: @escaping @Sendable () -> Double?
    ) {
        state.withLock { $0.measured.append((name, labels, read)) }
    }

    /// Puts a measurement into a histogram.
    package func observe(_ measurement: Double, in name: String, _ labels: [(String, String)] = []) {
        change(name, .histogram, labels) { value, description in
            guard case .histogram(var counts, let sum) = value else { return }
            let index = description.bounds.firstIndex { measurement <= $0 } ?? description.bounds.count
            counts[index] += 1
            value = .histogram(counts: counts, sum: sum + measurement)
        }
    }

    /// Forgets a family's samples, before a gauge by label is set anew.
    package func clear(_ name: String) {
        state.withLock {
            $0.families[name]?.samples = [:]
            $0.families[name]?.order = []
        }
    }

    private func change(
        _ name: String, _ kind: MetricKind, _ labels: [(String, String)],
        _ body: (inout Value, MetricDescription) -> Void
    ) {
        let labels = Labels(labels)
        state.withLock { state in
            if state.families[name] == nil {
                let bounds = kind == .histogram ? MetricDescription.seconds : []
                state.families[name] = Family(
                    description: MetricDescription(name, kind, "Not described.", bounds: bounds))
                state.order.append(name)
            }
            guard var family = state.families[name], family.description.kind == kind else { return }
            // Taken out while it is changed, so that the dictionary is not copied.
            state.families[name] = nil
            defer { state.families[name] = family }
            if family.samples[labels] == nil {
                guard family.samples.count < Self.maximumSamples else { return }
                family.order.append(labels)
            }
            var value =
                family.samples[labels]
                ?? (kind == .histogram
                    ? .histogram(counts: Array(repeating: 0, count: family.description.bounds.count + 1), sum: 0)
                    : .number(0))
            body(&value, family.description)
            family.samples[labels] = value
        }
    }

    /// Writes all families.
    func write(to exposition: inout Exposition) {
        for gauge in state.withLock({ $0.measured }) {
            if let number = gauge.read() { set(gauge.name, gauge.labels, to: number) }
        }
        let (families, order) = state.withLock { ($0.families, $0.order) }
        for name in order {
            guard let family = families[name] else { continue }
            let description = family.description
            exposition.family(name, description.kind, description.help)
            let bounds = description.bounds.map(Exposition.number)
            for labels in family.order {
                switch family.samples[labels] {
                case .number(let number):
                    if description.kind == .counter {
                        exposition.counter(name, labels.list, Exposition.number(number))
                    } else {
                        exposition.gauge(name, labels.list, Exposition.number(number))
                    }
                case .histogram(let counts, let sum):
                    exposition.histogram(
                        name, labels.list, bounds: bounds, counts: counts, sum: Exposition.number(sum))
                case nil: break
                }
            }
        }
    }
}
