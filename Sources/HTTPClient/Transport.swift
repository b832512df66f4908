import LinuxIO
import TLS

/// Plain or encrypted, the bytes of one connection.
enum Transport {
    case plain(LinuxIO.Stream)
    case encrypted(TLSStream)

    var stream: LinuxIO.Stream {
        switch self {
        case .plain(let stream): stream
        case .encrypted(let stream): stream.stream
        }
    }

    /// Reads at least one byte; 0 is the orderly end.
    func read(into room: UnsafeMutableRawBufferPointer, deadline: Deadline) async throws(HTTPClientError.Cause) -> Int {
        switch self {
        case .plain(let stream):
            do { return try await stream.read(into: room, deadline: deadline) } catch { throw .connection(error) }
        case .encrypted(let stream):
            do { return try await stream.read(into: room, deadline: deadline) } catch { throw error.cause }
        }
    }

    func writeAll(_ bytes: UnsafeRawBufferPointer, deadline: Deadline) async throws(HTTPClientError.Cause) {
        switch self {
        case .plain(let stream):
            do { try await stream.writeAll(bytes, deadline: deadline) } catch { throw .connection(error) }
        case .encrypted(let stream):
            do { try await stream.writeAll(bytes, deadline: deadline) } catch { throw error.cause }
        }
    }

    /// Whether an idle connection is as silent as it should be: no end, no unasked bytes.
    var isQuiet: Bool {
        guard stream.isOpen, !stream.isHungUp else { return false }
        return withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { room in
            switch self {
            case .plain(let stream): stream.receive(into: room) == .wouldBlock
            case .encrypted(let stream): (try? stream.receive(into: room)) == .wouldBlock
            }
        }
    }

    func close() {
        switch self {
        case .plain(let stream): stream.close()
        case .encrypted(let stream): stream.close()
        }
    }
}

extension TLSError {
    /// What the connection itself did is told as such.
    var cause: HTTPClientError.Cause {
        switch self {
        case .connection(let error): .connection(error)
        case .truncated: .truncated
        default: .tls(self)
        }
    }
}

extension HTTPClientError.Cause {
    /// A wait that ended without an event, as what it was waiting for.
    func during(_ phase: HTTPClientError.Phase) -> Self {
        switch self {
        case .connection(.timedOut): .timedOut(phase)
        case .connection(.cancelled): .cancelled
        default: self
        }
    }

    /// Whether the connection went away, as it does when a server ends an idle one.
    var isConnectionLoss: Bool {
        switch self {
        case .connection(.system), .connection(.endOfStream), .closedWithoutAnswer, .truncated: true
        default: false
        }
    }
}
