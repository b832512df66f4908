import Glibc
import HTTPClient
import Synchronization

/// A server that plays a script on every connection, with blocking calls on threads of its own.
final class ScriptedServer: Sendable {
    /// One accepted connection in the hands of a script.
    struct Connection {
        let descriptor: CInt
        /// How many connections came before this one.
        let index: Int

        /// Reads up to and including the empty line; nil at the end of the stream.
        func readHead() -> String? {
            var head: [UInt8] = []
            while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
                guard let byte = read(1)?.first else { return nil }
                head.append(byte)
            }
            return String(decoding: head, as: UTF8.self)
        }

        /// Reads exactly so many bytes; nil if the stream ends before.
        func read(_ count: Int) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0, count: count)
            var got = 0
            while got < count {
                let result = recv(descriptor, &bytes[got], count - got, 0)
                guard result > 0 else { return nil }
                got += result
            }
            return bytes
        }

        /// Reads until the peer closes; false if it sends anything.
        func endsSilently() -> Bool {
            var byte: UInt8 = 0
            return recv(descriptor, &byte, 1, 0) <= 0
        }

        /// Whether the peer has closed its side, as far as is known now.
        var isClosed: Bool {
            var byte: UInt8 = 0
            return recv(descriptor, &byte, 1, CInt(MSG_DONTWAIT | MSG_PEEK)) == 0
        }

        /// Lets time pass between two pieces.
        func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }

        func send(_ text: String) { send(Array(text.utf8)) }

        /// Sends bytes, in pieces that the peer receives one by one as far as the kernel lets it.
        func send(_ bytes: [UInt8], pieces size: Int = .max) {
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(size))
                let result = Glibc.send(descriptor, piece, piece.count, CInt(MSG_NOSIGNAL))
                guard result > 0 else { return }
                rest = rest.dropFirst(result)
                if size < bytes.count { usleep(200) }
            }
        }

        /// Makes the coming close a reset.
        func reset() {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
    }

    let port: UInt16
    private let listener: CInt
    private let accepted = Mutex(0)

    /// Connections accepted so far.
    var connections: Int { accepted.withLock { $0 } }

    /// Starts listening on a free port of 127.0.0.1; the connection is closed when the script returns.
    init(_ script: @escaping @Sendable (Connection) -> Void) {
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                guard bind(listener, $0, length) == 0, listen(listener, 64) == 0 else { fatalError("no port") }
                getsockname(listener, $0, &length)
            }
        }
        self.listener = listener
        self.port = UInt16(bigEndian: address.sin_port)
        Self.thread { [self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                // Several small sends must not wait for acknowledgements that the client delays.
                var yes: CInt = 1
                setsockopt(
                    descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<CInt>.size))
                let index = self.accepted.withLock { count in
                    defer { count += 1 }
                    return count
                }
                Self.thread {
                    script(Connection(descriptor: descriptor, index: index))
                    // A child process that started just now may hold the connection as well; the peer must see its
                    // end. A reset needs the close alone.
                    var option = linger()
                    var length = socklen_t(MemoryLayout<linger>.size)
                    getsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, &length)
                    if option.l_onoff == 0 { shutdown(descriptor, CInt(SHUT_WR)) }
                    Glibc.close(descriptor)
                }
            }
        }
    }

    /// Stops listening; new connections are refused.
    func stop() {
        shutdown(listener, CInt(SHUT_RDWR))
        close(listener)
    }

    private static func thread(_ body: @escaping @Sendable () -> Void) {
        final class Box: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, Unmanaged.passRetained(Box(body)).toOpaque())
        pthread_detach(thread)
    }
}

/// The error with which a request ends; nil if it has an answer.
func failure(
    of request: ClientRequest, _ client: HTTPClient? = nil, limit: Int = 1 << 20
) async throws -> HTTPClientError? {
    let own: HTTPClient
    if let client { own = client } else { own = try await HTTPClient.standalone() }
    do throws(HTTPClientError) {
        _ = try await own.collect(request, limit: limit)
        return nil
    } catch {
        return error
    }
}
