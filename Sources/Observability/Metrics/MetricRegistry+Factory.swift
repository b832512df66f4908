package import CoreMetrics

/// Lets libraries that record through swift-metrics, and our own control side, write into the registry.
///
/// A label is the metric's name without `_total`; dimensions are its labels. Timers are histograms in seconds.
extension MetricRegistry: MetricsFactory {
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        RegisteredMetric(registry: self, name: label, labels: dimensions, kind: .counter)
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        RegisteredMetric(registry: self, name: label, labels: dimensions, kind: .counter)
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        RegisteredMetric(registry: self, name: label, labels: dimensions, kind: .gauge)
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        RegisteredMetric(registry: self, name: label, labels: dimensions, kind: aggregate ? .histogram : .gauge)
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        RegisteredMetric(registry: self, name: label, labels: dimensions, kind: .histogram)
    }

    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}
}

/// One metric of the registry as swift-metrics holds it.
private final class RegisteredMetric: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler,
    TimerHandler
{
    private let registry: MetricRegistry
    private let name: String
    private let labels: [(String, String)]
    private let kind: MetricKind

    init(registry: MetricRegistry, name: String, labels: [(String, String)], kind: MetricKind) {
        self.registry = registry
        self.name = name
        self.labels = labels
        self.kind = kind
    }

    func increment(by amount: Int64) { registry.add(Double(amount), to: name, labels, kind: kind) }
    func increment(by amount: Double) { registry.add(amount, to: name, labels, kind: kind) }
    func decrement(by amount: Double) { registry.add(-amount, to: name, labels, kind: kind) }
    func set(_ value: Int64) { registry.set(name, labels, to: Double(value), kind: kind) }
    func set(_ value: Double) { registry.set(name, labels, to: value, kind: kind) }
    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func reset() { registry.set(name, labels, to: 0, kind: kind) }

    func record(_ value: Double) {
        if kind == .histogram {
            registry.observe(value, in: name, labels)
        } else {
            registry.set(name, labels, to: value, kind: kind)
        }
    }
}
