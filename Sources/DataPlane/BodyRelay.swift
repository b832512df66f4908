internal import HTTPWire
internal import LinuxIO
internal import Telemetry

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
/// `output`, then the pipe, then what is read next; nothing is put into `output` while the pipe holds bytes. Not copyable:
/// a pipe has one user.
struct BodyRelay: ~Copyable {
    /// Where the end of the body is found.
    private enum Reading { case done, length, chunked, untilClose }

    /// From here on a run of payload is worth a pipe; below, one copy is cheaper than two splices.
    static let spliceThreshold: UInt64 = 64 << 10
    /// The same for a chunk, whose neighbours share the pipe with it.
    static let chunkThreshold: UInt64 = 16 << 10
    /// What a pipe holds when it is worth a call to drain it, though more could be asked of the source.
    private static let runSize = 64 << 10
    /// Bytes received where the rest of a chunk's size line is expected: the line, and little of the payload.
    private static let lineRoom = 64
    /// Bytes one `advance` moves or reads at most, so that one bulk stream cannot hold the loop: of chunks that are all
    /// extension much is read and little moved.
    private static let turn = 1 << 20

    private var reading = Reading.done
    /// Payload of the present run (the body, or one chunk) that is still in the source.
    private var remaining: UInt64 = 0
    private var chunks = ChunkReader()
    private var writesChunks = false
    /// A chunk's payload has been taken; its CRLF follows when the payload has left.
    private var owesChunkEnd = false
    /// A chunk's size line for which there was no room yet.
    private var owedSize: UInt64?
    /// Bytes between the payloads of the last two chunks: most likely as many as between the next two.
    private var gap = Self.lineRoom
    /// Those of them that have been read.
    private var gapRead = 0
    private var pipe: Pipe?
    /// `take` stopped in the middle of a line.
    private var needsMore = false
    /// The last read filled its buffer, or the last chunk was a large one: more of the same is likely, and splicing pays even without a known length.
    private var looksBulky = false

    /// Whether the last `advance` moved or read as much as one may: others have their turn first.
    private(set) var hadItsTurn = false
    /// Bytes that the present `advance` has read into buffers.
    private var received = 0

    /// Bytes moved through pipes, and through buffers.
    private(set) var spliced: UInt64 = 0
    private(set) var copied: UInt64 = 0

    /// Nothing to move.
    init() {}

    /// Counts what was moved.
    func count(as direction: ByteDirection, in telemetry: WorkerTelemetry) {
        if spliced > 0 { telemetry.bytes(direction, .spliced, Int(spliced)) }
        if copied > 0 { telemetry.bytes(direction, .copied, Int(copied)) }
    }

    /// A body with this framing in the source; `writesChunks` says whether the sink gets the chunked coding.
    mutating func begin(_ framing: BodyFraming, writesChunks: Bool) {
        remaining = 0
        owesChunkEnd = false
        owedSize = nil
        needsMore = false
        looksBulky = false
        hadItsTurn = false
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
            gapRead = 0
        case .untilClose:
            reading = .untilClose
        }
    }

    /// Whether the whole body has been taken from the source; some of it may still wait for the sink.
    var isTaken: Bool { reading == .done }

    /// Whether bytes wait for the sink: made ready for it, or received and to be sent from where they are.
    func isPending(_ input: IOBuffer?, _ output: IOBuffer?) -> Bool {
        holds(output) || (sendsDirectly && input.map { !$0.isEmpty } ?? false)
    }

    private func holds(_ output: IOBuffer?) -> Bool { (output.map { !$0.isEmpty } ?? false) || pipeHolds }

    private var pipeHolds: Bool { pipe.map { $0.buffered > 0 } ?? false }

    /// Whether the sink has all of it.
    func isFinished(_ output: IOBuffer?) -> Bool { isTaken && !owes && !holds(output) }

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
        hadItsTurn = false
        received = 0
        while true {
            // All that came has left; only the source can bring more.
            if !source.isReadable, !owes, input?.isEmpty ?? true, !holds(output) { break }
            // While the sink blocks, the source accumulates in silence: topping the pipe up would cost a call for each
            // piece, and hearing of each piece a look at the kernel.
            if pipeHolds, !sink.isWritable {
                source.pauseReads()
                return moved
            }
            let filled = try fill(from: source, &input, into: &output, on: loop)
            let drained = try drain(&input, &output, to: sink, on: loop)
            if filled || drained > 0 { moved = true }
            budget -= drained
            hadItsTurn = budget <= 0 || received >= Self.turn
            // Blocked by the sink, or nothing new from the source.
            if holds(output) || drained == 0 || hadItsTurn { break }
        }
        if !pipeHolds { release(to: loop.pipes) }
        return moved
    }

    /// Takes from the source as long as there is room: one large write is cheaper than many small ones.
    private mutating func fill(
        from source: Stream, _ input: inout IOBuffer?, into output: inout IOBuffer?, on loop: LoopExecutor
    ) throws(RelayFailure) -> Bool {
        var filled = false
        while true {
            if owes || !(input?.isEmpty ?? true) {
                guard try take(&input, into: &output, on: loop) else {
                    // Out of room, or in the middle of a chunk's size line.
                    if !needsMore { return filled }
                    break
                }
                filled = true
                continue
            }
            break
        }
        while !isTaken, owedSize == nil, source.isReadable, received < Self.turn {
            needsMore = false
            if splices, let pipe = lendPipe(on: loop) {
                let room = pipe.capacity - pipe.buffered
                guard room > 0 else { return filled }
                switch source.splice(into: pipe, upTo: remaining > UInt64(room) ? room : Int(remaining)) {
                case .moved(let count):
                    filled = true
                    if reading == .untilClose {
                        // Small runs: the stream trickles, and a copy is cheaper again.
                        looksBulky = count >= BufferPool.standardSize
                    } else {
                        payloadTaken(count)
                    }
                    // A run leaves at once: asking again would find the source empty, and meanwhile it fills.
                    if reading != .chunked, pipe.buffered >= Self.runSize { return true }
                case .wouldBlock: return filled
                case .endOfStream: try sourceEnded()
                case .failed(let errno) where errno.refusesSplice:
                    // Bytes in the pipe go first; the rest is copied, and asks the kernel again in a second.
                    loop.pipes.refuse(now: loop.now)
                    guard pipe.buffered == 0 else { return filled }
                    release(to: loop.pipes)
                case .failed: throw .sourceEnded
                }
            } else {
                // What waits in the buffers goes first, and pays for itself only once.
                if let output, output.count > BufferPool.standardSize / 2 { return filled }
                let buffer = input ?? loop.buffers.take()
                input = buffer
                if buffer.room.isEmpty { buffer.compact() }
                // Full, and still no whole chunk header in it: ChunkReader bounds those far below a buffer.
                guard !buffer.room.isEmpty else {
                    if needsMore { throw .malformed(.chunkExtensionTooLong) }
                    return filled
                }
                // Between large chunks only the size line is wanted here, and what was left of a payload when the pipe had
                // drained; the next payload is for the pipe.
                let line = buffer.isEmpty ? gap : Self.lineRoom
                let isRest = looksBulky && reading == .chunked && remaining < Self.chunkThreshold
                let room = UnsafeMutableRawBufferPointer(
                    rebasing: buffer.room.prefix(isRest ? Int(remaining) + line : .max))
                switch source.receive(into: room) {
                case .moved(let count):
                    buffer.produced(count)
                    received += count
                    filled = true
                    if reading == .untilClose { looksBulky = count == room.count }
                case .wouldBlock: return filled
                case .endOfStream: try sourceEnded()
                case .failed: throw .sourceEnded
                }
                if sendsDirectly, output?.isEmpty ?? true { return true }
            }
            while owes || !(input?.isEmpty ?? true) {
                guard try take(&input, into: &output, on: loop) else {
                    if !needsMore { return filled }
                    break
                }
            }
        }
        return filled
    }

    /// Gives the sink what is ready; returns the number of bytes it took.
    private mutating func drain(
        _ input: inout IOBuffer?, _ output: inout IOBuffer?, to sink: Stream, on loop: LoopExecutor
    ) throws(RelayFailure) -> Int {
        var drained = 0
        if let output, !output.isEmpty {
            guard sink.isWritable else { return 0 }
            switch pipeHolds ? sink.send(output.bytes, more: true) : sink.post(output.bytes) {
            case .moved(let count):
                output.consume(count)
                copied += UInt64(count)
                drained += count
            case .wouldBlock: break
            case .endOfStream, .failed: throw .sinkGone
            }
            guard output.isEmpty else { return drained }
        }
        while let pipe, pipe.buffered > 0, sink.isWritable {
            switch sink.drain(pipe, upTo: pipe.buffered) {
            case .moved(let count):
                spliced += UInt64(count)
                drained += count
            case .wouldBlock: return drained
            case .failed(let errno) where errno.refusesSplice:
                loop.pipes.refuse(now: loop.now)
                let buffer = output ?? loop.buffers.take()
                output = buffer
                buffer.produced(pipe.read(into: buffer.room))
                // A pipe that holds bytes and gives none is no pipe any more.
                guard !buffer.isEmpty else { throw .sinkGone }
                return try drained + drain(&input, &output, to: sink, on: loop)
            case .endOfStream, .failed: throw .sinkGone
            }
        }
        // Payload that needs no framing leaves from where it was received.
        while sendsDirectly, !pipeHolds, let input, !input.isEmpty, sink.isWritable {
            let count = reading == .untilClose || remaining > UInt64(input.count) ? input.count : Int(remaining)
            guard count > 0 else { break }
            switch sink.send(UnsafeRawBufferPointer(rebasing: input.bytes[..<count])) {
            case .moved(let count):
                input.consume(count)
                copied += UInt64(count)
                drained += count
                if reading == .length { payloadTaken(count) }
            case .wouldBlock: return drained
            case .endOfStream, .failed: throw .sinkGone
            }
        }
        return drained
    }

    /// Whether framing is due that found no place yet.
    private var owes: Bool { owesChunkEnd || owedSize != nil }

    /// Whether payload passes as it is, without a byte of framing between.
    private var sendsDirectly: Bool {
        switch reading {
        case .length: true
        case .untilClose: !writesChunks
        case .chunked, .done: false
        }
    }

    private var splices: Bool {
        switch reading {
        case .length: remaining >= Self.spliceThreshold || (remaining > 0 && pipeHolds)
        // In the pipe already: the rest of a chunk goes the same way.
        case .chunked: remaining >= Self.chunkThreshold || (remaining > 0 && pipeHolds)
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

    /// Turns received bytes into bytes for the sink; false if it has no room, or more must be received first.
    private mutating func take(
        _ input: inout IOBuffer?, into output: inout IOBuffer?, on loop: LoopExecutor
    ) throws(RelayFailure) -> Bool {
        needsMore = false
        // Behind bytes in the pipe there is one place for more: the pipe.
        if let pipe, pipe.buffered > 0 { return try take(&input, into: pipe, on: loop) }
        if owesChunkEnd {
            let buffer = output ?? loop.buffers.take()
            output = buffer
            guard hasRoom(buffer) else { return false }
            if isTaken { appendLastChunk(to: buffer) } else { append("\r\n", to: buffer) }
            owesChunkEnd = false
            return true
        }
        if let size = owedSize {
            let buffer = output ?? loop.buffers.take()
            output = buffer
            guard hasRoom(buffer) else { return false }
            appendChunkSize(size, to: buffer)
            owedSize = nil
            return true
        }
        guard reading != .done, let source = input, !source.isEmpty else { return false }
        // Nothing to put before or behind it: it leaves from where it is, unless it fits behind a head.
        if sendsDirectly {
            guard let buffer = output, !buffer.isEmpty, hasRoom(buffer) else { return false }
        }
        let buffer = output ?? loop.buffers.take()
        output = buffer
        guard hasRoom(buffer) else { return false }
        if reading == .untilClose {
            var count = min(source.count, buffer.room.count - Self.framingRoom)
            if writesChunks {
                appendChunkSize(UInt64(count), to: buffer)
                count = copy(count, from: source, to: buffer)
                append("\r\n", to: buffer)
            } else {
                count = copy(count, from: source, to: buffer)
            }
            return true
        }
        if remaining > 0 {
            let most = min(source.count, buffer.room.count - Self.framingRoom)
            let count = copy(remaining > UInt64(most) ? most : Int(remaining), from: source, to: buffer)
            payloadTaken(count)
            if owesChunkEnd, !isTaken {
                append("\r\n", to: buffer)
                owesChunkEnd = false
            }
            return true
        }
        guard let length = try nextChunk(source) else {
            if reading == .done, writesChunks { appendLastChunk(to: buffer) }
            return reading == .done
        }
        if writesChunks { appendChunkSize(length, to: buffer) }
        return true
    }

    /// The same into a pipe that holds payload already.
    private mutating func take(
        _ input: inout IOBuffer?, into pipe: Pipe, on loop: LoopExecutor
    ) throws(RelayFailure) -> Bool {
        // A pipe that took only half of a line would have to be told the rest later: there is room for all, or none.
        guard pipe.capacity - pipe.buffered > BufferPool.standardSize else { return false }
        return try withUnsafeTemporaryAllocation(byteCount: Self.framingRoom, alignment: 1) {
            room throws(RelayFailure) in
            var line = ByteWriter(room)
            if owedSize != nil { return false }
            if owesChunkEnd {
                // The end of a body waits until the pipe is empty: trailers may be long.
                if isTaken { return false }
                line.append("\r\n")
                guard write(line.written, to: pipe) else { return false }
                owesChunkEnd = false
                return true
            }
            guard reading != .done, let source = input, !source.isEmpty else { return false }
            if remaining > 0 || reading == .untilClose {
                let most = min(source.count, 4 << 10)
                let count = reading == .untilClose || remaining > UInt64(most) ? most : Int(remaining)
                guard write(UnsafeRawBufferPointer(rebasing: source.bytes[..<count]), to: pipe) else { return false }
                source.consume(count)
                if reading != .untilClose { payloadTaken(count) }
                return true
            }
            guard let length = try nextChunk(source) else {
                if reading == .done { owesChunkEnd = writesChunks }
                return false
            }
            guard writesChunks else { return true }
            line.append(hexadecimal: length)
            line.append("\r\n")
            guard write(line.written, to: pipe) else {
                // The pipe's slots are full although its bytes are not; the line waits for the drained pipe.
                owedSize = length
                return false
            }
            return true
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to pipe: Pipe) -> Bool { pipe.write(bytes) == bytes.count }

    /// Reads the next size line; nil if it is not complete, or if the body has ended.
    private mutating func nextChunk(_ source: IOBuffer) throws(RelayFailure) -> UInt64? {
        let step: ChunkReader.Step
        do throws(WireError) {
            step = try chunks.next(source.bytes)
        } catch {
            throw .malformed(error)
        }
        switch step {
        case .needMore(let count):
            source.consume(count)
            gapRead += count
            needsMore = true
            return nil
        case .chunk(let count, let length):
            source.consume(count)
            gap = gapRead + count
            gapRead = 0
            remaining = length
            looksBulky = length >= Self.chunkThreshold
            return length
        case .end(let count):
            source.consume(count)
            reading = .done
            return nil
        }
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
