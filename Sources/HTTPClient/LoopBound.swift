import LinuxIO

/// Something that only its loop's thread may touch, carried by those who live elsewhere.
///
/// Unchecked: the value is reached only with the loop's isolation, and let go only on the loop's thread.
final class LoopBound<Value: AnyObject>: @unchecked Sendable {
    private let loop: Loop
    private let reference: Unmanaged<Value>
    private let finalize: @Sendable (Value) -> Void

    /// `finalize` runs on the loop's thread once nobody holds this any more.
    init(_ value: Value, on loop: isolated Loop, finalize: @escaping @Sendable (Value) -> Void) {
        self.loop = loop
        self.reference = Unmanaged.passRetained(value)
        self.finalize = finalize
    }

    /// The value, to someone who is on the loop.
    func value(on loop: isolated Loop) -> Value {
        precondition(loop === self.loop, "a value of another loop")
        return reference.takeUnretainedValue()
    }

    deinit {
        let carried = Carried(reference: reference)
        let finalize = finalize
        loop.executor.post {
            finalize(carried.reference.takeUnretainedValue())
            carried.reference.release()
        }
    }

    private struct Carried: @unchecked Sendable {
        let reference: Unmanaged<Value>
    }
}
