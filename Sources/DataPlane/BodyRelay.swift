internal import HTTPWire
internal import LinuxIO

/// Why a body could not be moved to its end, and whose fault that is.
enum RelayFailure: Error, Equatable {
    /// The side that sends the body broke off or reset.
    case sourceEnded
    /// The side that receives the body is gone.
    case sinkGone
    /// The side that sends the body sent bytes that no body has.
    case malformed(WireError)
}

/// Moves one message body from one stream to another, or both halves of a tunnel's direction, as far as both sides allow.
///
/// It never waits: `advance` does what can be done now. Bytes that were read ahead with a head, and small bodies, are
/// copied through buffers; long runs of payload go through a pipe and never enter this process. The order is always
/// `output`, then the pipe, then what is read next; nothing is put into `output` while the pipe holds bytes.
struct BodyRelay {
    /// Where the end of the body is found.
    private enum Reading { case done, length, chunked, untilClose }

    /// From here on a run of payload is worth a pipe; below, one copy is cheaper than two splices.
    static let spliceThreshold: UInt64 = 64 << 10
    /// Bytes one `advance` moves at most, so that one bulk stream cannot hold the loop.
    private static let turn = 1 << 20

    private var reading = Reading.done
    /// Payload of the present run (the body, or one chunk) that is still in the source.
    private var remaining: UInt64 = 0
    private var chunks = ChunkReader()
    private var writesChunks = false
    /// A chunk's payload has been taken; its CRLF follows when the payload has left.
    private var owesChunkEnd = false
    private var pipe: Pipe?
    /// The last read filled its buffer: more of the same is likely, and splicing pays even without a known length.
    private var looksBulky = false

    /// Bytes moved through pipes, and through buffers.
    private(set) var spliced: UInt64 = 0
    private(set) var copied: UInt64 = 0

    /// Nothing to move.
    init() {}

    /// A body with this framing in the source; `writesChunks` says whether the sink gets the chunked coding.
    mutating func begin(_ framing: BodyFraming, writesChunks: Bool) {
        remaining = 0
        owesChunkEnd = false
        looksBulky = false
        spliced = 0
        copied = 0
        self.writesChunks = writesChunks
        switch framing {
        case .none:
            reading = .done
        case .length(let count):
            reading = .length
            remaining = count
        case .chunked:
            reading = .chunked
            chunks = ChunkReader()
        case .untilClose:
            reading = .untilClose
        }
    }

    /// Whether the whole body has been taken from the source; some of it may still wait for the sink.
    var isTaken: Bool { reading == .done }

    /// Whether bytes wait for the sink.
    func isPending(_ output: IOBuffer?) -> Bool { (output.map { !$0.isEmpty } ?? false) || pipeHolds }

    private var pipeHolds: Bool { pipe.map { $0.buffered > 0 } ?? false }

    /// Whether the sink has all of it.
    func isFinished(_ output: IOBuffer?) -> Bool { isTaken && !owesChunkEnd && !isPending(output) }

    /// Whether the body has no end but the connection's.
    var endsWithConnection: Bool { reading == .untilClose }

    /// Gives the pipe back; one with bytes in it is closed.
    mutating func release(to pipes: PipePool) {
        if let pipe {
            pipes.giveBack(pipe)
            self.pipe = nil
        }
    }

    /// Moves what can be moved now; false if nothing could.
    mutating func advance(
        from source: Stream, _ input: inout IOBuffer?, to sink: Stream, _ output: inout IOBuffer?, on loop: LoopExecutor
    ) throws(RelayFailure) -> Bool {
        var moved = false
        var budget = Self.turn
        while true {
            if !pipeHolds, try take(&input, into: &output, on: loop) { moved = true }
            // 1. What is ready for the sink.
            if let buffer = output, !buffer.isEmpty {
                guard sink.isWritable else { return moved }
                switch sink.send(buffer.bytes) {
                case .moved(let count):
                    buffer.consume(count)
                    moved = true
                    copied += UInt64(count)
                    budget -= count
                    if !buffer.isEmpty { return moved }
                case .wouldBlock: return moved
                case .endOfStream, .failed: throw .sinkGone
                }
            }
            if let pipe, pipe.buffered > 0 {
                guard sink.isWritable else { return moved }
                switch sink.drain(pipe, upTo: pipe.buffered) {
                case .moved(let count):
                    moved = true
                    spliced += UInt64(count)
                    budget -= count
                    if pipe.buffered > 0 { continue }
                case .wouldBlock: return moved
                case .endOfStream, .failed: throw .sinkGone
                }
            }
            if owesChunkEnd { continue }
            guard !isTaken else {
                release(to: loop.pipes)
                return moved
            }
            if budget <= 0 { return moved }
            if let input, !input.isEmpty, remaining > 0 || reading == .untilClose { continue }
            // 2. More from the source.
            guard source.isReadable else {
                release(to: loop.pipes)
                return moved
            }
            if splices, let pipe = lendPipe(on: loop) {
                switch source.splice(
                    into: pipe, upTo: remaining > UInt64(pipe.capacity) ? pipe.capacity : Int(remaining))
                {
                case .moved(let count):
                    moved = true
                    if reading == .untilClose {
                        // Small runs: the stream trickles, and a copy is cheaper again.
                        looksBulky = count >= BufferPool.standardSize
                    } else {
                        payloadTaken(count)
                    }
                case .wouldBlock: continue
                case .endOfStream: try sourceEnded()
                case .failed: throw .sourceEnded
                }
                continue
            }
            let buffer = input ?? loop.buffers.take()
            input = buffer
            if buffer.room.isEmpty { buffer.compact() }
            // Full, and still no whole chunk header in it: ChunkReader bounds those far below a buffer.
            guard !buffer.room.isEmpty else { throw .malformed(.chunkExtensionTooLong) }
            let room = buffer.room.count
            switch source.receive(into: buffer.room) {
            case .moved(let count):
                buffer.produced(count)
                looksBulky = count == room
                moved = true
            case .wouldBlock: return moved
            case .endOfStream: try sourceEnded()
            case .failed: throw .sourceEnded
            }
        }
    }

    private var splices: Bool {
        switch reading {
        case .length, .chunked: remaining >= Self.spliceThreshold
        case .untilClose: looksBulky && !writesChunks
        case .done: false
        }
    }

    private mutating func lendPipe(on loop: LoopExecutor) -> Pipe? {
        if let pipe { return pipe }
        pipe = loop.pipes.take(now: loop.now)
        if reading == .untilClose && pipe != nil { remaining = .max }
        return pipe
    }

    private mutating func sourceEnded() throws(RelayFailure) {
        guard reading == .untilClose else { throw .sourceEnded }
        reading = .done
        remaining = 0
        if writesChunks { owesChunkEnd = true }
    }

    private mutating func payloadTaken(_ count: Int) {
        remaining -= UInt64(count)
        if reading == .chunked { chunks.payloadMoved(UInt64(count)) }
        guard remaining == 0 else { return }
        if reading == .length {
            reading = .done
        } else {
            owesChunkEnd = writesChunks
        }
    }

    /// Turns received bytes into bytes for the sink, as long as both have them; false if that changed nothing.
    private mutating func take(
        _ input: inout IOBuffer?, into output: inout IOBuffer?, on loop: LoopExecutor
    ) throws(RelayFailure) -> Bool {
        var changed = false
        if owesChunkEnd {
            let buffer = output ?? loop.buffers.take()
            output = buffer
            guard hasRoom(buffer) else { return false }
            append(isTaken ? "0\r\n\r\n" : "\r\n", to: buffer)
            owesChunkEnd = false
            changed = true
        }
        while reading != .done, let source = input, !source.isEmpty {
            let buffer = output ?? loop.buffers.take()
            output = buffer
            guard hasRoom(buffer) else { return changed }
            if reading == .untilClose {
                var count = min(source.count, buffer.room.count - Self.framingRoom)
                if writesChunks {
                    appendChunkSize(UInt64(count), to: buffer)
                    count = copy(count, from: source, to: buffer)
                    append("\r\n", to: buffer)
                } else {
                    count = copy(count, from: source, to: buffer)
                }
                changed = true
                continue
            }
            if remaining > 0 {
                let most = min(source.count, buffer.room.count - Self.framingRoom)
                let count = copy(remaining > UInt64(most) ? most : Int(remaining), from: source, to: buffer)
                payloadTaken(count)
                changed = true
                if owesChunkEnd {
                    append("\r\n", to: buffer)
                    owesChunkEnd = false
                }
                continue
            }
            // Between chunks.
            let step: ChunkReader.Step
            do throws(WireError) {
                step = try chunks.next(source.bytes)
            } catch {
                throw .malformed(error)
            }
            switch step {
            case .needMore(let count):
                source.consume(count)
                return changed || count > 0
            case .chunk(let count, let length):
                source.consume(count)
                remaining = length
                if writesChunks { appendChunkSize(length, to: buffer) }
            case .end(let count):
                source.consume(count)
                reading = .done
                if writesChunks { appendLastChunk(to: buffer) }
            }
            changed = true
        }
        return changed
    }

    /// Room for a chunk's size line and the CRLFs around it.
    private static let framingRoom = 32

    private func hasRoom(_ buffer: IOBuffer) -> Bool {
        if buffer.room.count > Self.framingRoom * 2 { return true }
        buffer.compact()
        return buffer.room.count > Self.framingRoom * 2
    }

    private func copy(_ count: Int, from source: IOBuffer, to buffer: IOBuffer) -> Int {
        let appended = buffer.append(UnsafeRawBufferPointer(rebasing: source.bytes[..<count]))
        assert(appended)
        source.consume(count)
        return count
    }

    private func append(_ text: StaticString, to buffer: IOBuffer) {
        let appended = buffer.append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        assert(appended)
    }

    /// The zero chunk, the trailer fields that may be passed on (RFC 9110 §6.5.1), and the empty line.
    private func appendLastChunk(to buffer: IOBuffer) {
        append("0\r\n", to: buffer)
        if !chunks.trailers.isEmpty {
            while buffer.room.count < chunks.trailers.count + Self.framingRoom, buffer.grow(limit: 64 << 10) {}
            let appended = chunks.trailers.withUnsafeBytes { buffer.append($0) }
            assert(appended)
        }
        append("\r\n", to: buffer)
    }

    private func appendChunkSize(_ size: UInt64, to buffer: IOBuffer) {
        var writer = ByteWriter(buffer.room)
        writer.append(hexadecimal: size)
        writer.append("\r\n")
        buffer.produced(writer.count)
    }
}
