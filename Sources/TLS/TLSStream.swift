internal import COpenSSL
package import LinuxIO

/// A verified TLS connection over a stream; it owns the stream.
///
/// OpenSSL works on two memory buffers, and the stream carries their bytes: waiting, deadlines and cancellation are the
/// stream's. Belongs to the stream's loop; one task at a time.
package final class TLSStream {
    package let stream: Stream
    private let ssl: OpaquePointer
    /// What came from the peer and OpenSSL has not read yet; owned by `ssl`.
    private let incoming: OpaquePointer
    /// What OpenSSL has written and the peer does not have yet; owned by `ssl`.
    private let outgoing: OpaquePointer
    /// Keeps the certificates that `ssl` refers to.
    private let context: TLSClientContext
    /// The carrier between the memory buffers and the stream: one record and its header.
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 17 << 10, alignment: 16)
    /// Whether the peer said close_notify.
    private var isClosedByPeer = false

    private init(stream: Stream, context: TLSClientContext, serverName: String) throws(TLSError) {
        guard let ssl = SSL_new(context.pointer) else { throw .exhausted }
        guard let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem()) else {
            SSL_free(ssl)
            throw .exhausted
        }
        SSL_set_bio(ssl, incoming, outgoing)
        self.stream = stream
        self.context = context
        self.ssl = ssl
        self.incoming = incoming
        self.outgoing = outgoing
        SSL_set_connect_state(ssl)
        // An address is verified as one and never sent as SNI (RFC 6066 §3).
        if SocketAddress(numeric: serverName, port: 0) != nil {
            guard X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), serverName) == 1 else { throw .exhausted }
        } else {
            SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            guard SSL_set1_host(ssl, serverName) == 1, copenssl_set_server_name(ssl, serverName) == 1 else {
                throw .failed(reason: "the server's name is not one")
            }
        }
    }

    deinit {
        SSL_free(ssl)
        scratch.deallocate()
    }

    /// Shakes hands and verifies the server as `serverName`, a host name or a numeric address.
    package static func connect(
        over stream: Stream, context: TLSClientContext, serverName: String, deadline: Deadline
    ) async throws(TLSError) -> TLSStream {
        let connection = try TLSStream(stream: stream, context: context, serverName: serverName)
        try await connection.handshake(deadline: deadline)
        return connection
    }

    private func handshake(deadline: Deadline) async throws(TLSError) {
        while true {
            ERR_clear_error()
            let result = SSL_do_handshake(ssl)
            let wish = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, result)
            let failure = wish == SSL_ERROR_NONE || wish == SSL_ERROR_WANT_READ ? nil : failure()
            // Also when it failed: the peer deserves the alert.
            if let failure {
                _ = flushWithoutWaiting()
                throw failure
            }
            try await flush(deadline: deadline)
            if wish == SSL_ERROR_NONE { return }
            guard try await fill(deadline: deadline) else {
                throw .failed(reason: "the server closed the connection during the handshake")
            }
        }
    }

    /// Reads at least one byte; 0 is the peer's orderly end, an end without close_notify is `truncated`.
    package func read(into room: UnsafeMutableRawBufferPointer, deadline: Deadline) async throws(TLSError) -> Int {
        while true {
            if let count = try decrypt(into: room) { return count }
            try await flush(deadline: deadline)
            guard try await fill(deadline: deadline) else { throw .truncated }
        }
    }

    /// Reads what is there without waiting.
    package func receive(into room: UnsafeMutableRawBufferPointer) throws(TLSError) -> IOOutcome {
        while true {
            if let count = try decrypt(into: room) { return count == 0 ? .endOfStream : .moved(count) }
            switch stream.receive(into: scratch) {
            case .moved(let count): try deliver(count)
            case .endOfStream: throw .truncated
            case .wouldBlock: return .wouldBlock
            case .failed(let errno): throw .connection(.system(call: "recv", errno))
            }
        }
    }

    /// Writes all bytes.
    package func writeAll(_ bytes: UnsafeRawBufferPointer, deadline: Deadline) async throws(TLSError) {
        var rest = bytes
        while !rest.isEmpty {
            ERR_clear_error()
            // One record at a time, so that what waits in memory stays bounded.
            let count = SSL_write(ssl, rest.baseAddress, Int32(min(rest.count, 16 << 10)))
            guard count > 0 else { throw failure() }
            rest = UnsafeRawBufferPointer(rebasing: rest[Int(count)...])
            try await flush(deadline: deadline)
        }
    }

    /// Says close_notify, if the socket takes it at once, and closes.
    package func close() {
        guard stream.isOpen else { return }
        if SSL_is_init_finished(ssl) == 1 {
            ERR_clear_error()
            _ = SSL_shutdown(ssl)
            _ = flushWithoutWaiting()
        }
        stream.close()
    }

    /// Plain bytes out of what has come; nil if more must come first, 0 at the orderly end.
    private func decrypt(into room: UnsafeMutableRawBufferPointer) throws(TLSError) -> Int? {
        precondition(!room.isEmpty, "a read needs room")
        if isClosedByPeer { return 0 }
        ERR_clear_error()
        let count = SSL_read(ssl, room.baseAddress, Int32(clamping: room.count))
        if count > 0 { return Int(count) }
        switch SSL_get_error(ssl, count) {
        case SSL_ERROR_WANT_READ: return nil
        case SSL_ERROR_ZERO_RETURN:
            isClosedByPeer = true
            return 0
        default: throw failure()
        }
    }

    /// Moves what has come from the stream to OpenSSL; false at the end of the stream.
    private func fill(deadline: Deadline) async throws(TLSError) -> Bool {
        let count: Int
        do { count = try await stream.read(into: scratch, deadline: deadline) } catch { throw .connection(error) }
        if count > 0 { try deliver(count) }
        return count > 0
    }

    private func deliver(_ count: Int) throws(TLSError) {
        guard BIO_write(incoming, scratch.baseAddress, Int32(count)) == Int32(count) else { throw .exhausted }
    }

    /// Moves what OpenSSL has written to the stream.
    private func flush(deadline: Deadline) async throws(TLSError) {
        while BIO_ctrl_pending(outgoing) > 0 {
            let count = BIO_read(outgoing, scratch.baseAddress, Int32(scratch.count))
            guard count > 0 else { return }
            let bytes = UnsafeRawBufferPointer(rebasing: scratch[..<Int(count)])
            do { try await stream.writeAll(bytes, deadline: deadline) } catch { throw .connection(error) }
        }
    }

    /// One attempt for a last word.
    private func flushWithoutWaiting() -> Bool {
        let count = BIO_read(outgoing, scratch.baseAddress, Int32(scratch.count))
        guard count > 0 else { return true }
        return stream.send(UnsafeRawBufferPointer(rebasing: scratch[..<Int(count)])) == .moved(Int(count))
    }

    /// What OpenSSL says went wrong just now; a certificate's fault first.
    private func failure() -> TLSError {
        let verdict = SSL_get_verify_result(ssl)
        if verdict != X509_V_OK, let reason = X509_verify_cert_error_string(verdict) {
            return .untrusted(reason: String(cString: reason))
        }
        return .fromQueue(fallback: "the connection broke")
    }
}
