internal import Synchronization

/// The administrators' key; it can be replaced while requests are answered.
package final class AdminKey: Sendable {
    private let stored: Mutex<String?>

    init(_ value: String?) { stored = Mutex(value) }

    /// The key in force; nil if there is none.
    package var value: String? { stored.withLock { $0 } }

    /// Takes over another key.
    package func replace(with value: String?) { stored.withLock { $0 = value } }
}
