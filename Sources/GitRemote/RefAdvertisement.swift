/// Why a sequence of packets is not an advertisement of references.
package enum AdvertisementProblem: Error, Equatable, Sendable {
    case packet(PacketProblem)
    /// A packet that has no place where it stands, or a line that is no reference.
    case unexpected
    /// The server says that something is wrong: the text of an `ERR` packet.
    case remote(String)
    case tooManyReferences
    /// The advertisement or answer stops before its flush packet.
    case truncated
}

/// What a server that speaks protocol version 2 can do, as far as listing branches needs it.
package struct ServerCapabilities: Equatable, Sendable {
    /// The value of `object-format`, if advertised.
    package var objectFormat: String?
    /// Whether `ls-refs` tells where an unborn HEAD points.
    package var listsUnborn = false
    package var hasListReferences = false
    package var hasAgent = false

    package init() {}
}

/// Reads the answer to `info/refs?service=git-upload-pack`: versions 0 and 1 list the references there and then,
/// version 2 lists capabilities (gitprotocol-http, gitprotocol-v2).
///
/// The `# service=git-upload-pack` line with its flush packet may stand in front of every version: git's own server
/// leaves it out before version 2, others write it.
package struct RefAdvertisement: Sendable {
    private enum State {
        case start, serviceFlush, version, firstReference, references, capabilities, finished
    }

    private var state = State.start
    private var collector: BranchCollector
    /// What a version 2 server can do; nil for the older versions.
    package private(set) var capabilities: ServerCapabilities?

    package init(maximumReferences: Int) {
        collector = BranchCollector(maximumCount: maximumReferences)
    }

    /// Whether the closing flush packet came.
    package var isComplete: Bool { state == .finished }

    /// Whether no further branch can follow, because references come sorted.
    package var isPastBranches: Bool { collector.isPastBranches }

    /// The branches that versions 0 and 1 told.
    package var branches: RemoteBranches { collector.branches }

    /// Takes the next packet; nothing may follow a complete advertisement.
    package mutating func consume(_ packet: Packet) throws(AdvertisementProblem) {
        switch (state, packet) {
        case (.start, .data(let bytes)) where bytes.starts(with: "# service=".utf8):
            guard Line(bytes).bytes.elementsEqual("# service=git-upload-pack".utf8) else { throw .unexpected }
            state = .serviceFlush
        case (.serviceFlush, .flush):
            state = .version
        case (.start, .data(let bytes)), (.version, .data(let bytes)):
            let line = try Line(checked: bytes)
            if line.bytes.elementsEqual("version 2".utf8) {
                capabilities = ServerCapabilities()
                state = .capabilities
            } else if line.bytes.elementsEqual("version 1".utf8) {
                state = .firstReference
            } else {
                try first(line)
            }
        case (.firstReference, .data(let bytes)):
            try first(Line(checked: bytes))
        case (.references, .data(let bytes)):
            try reference(Line(checked: bytes).bytes)
        case (.capabilities, .data(let bytes)):
            try capability(Line(checked: bytes).bytes)
        case (.start, .flush), (.version, .flush), (.firstReference, .flush), (.references, .flush),
            (.capabilities, .flush):
            // Before any reference: an empty repository.
            state = .finished
        default:
            throw .unexpected
        }
    }

    /// The first line carries the capabilities behind a NUL; an empty repository has only those.
    private mutating func first(_ line: Line) throws(AdvertisementProblem) {
        let bytes = line.bytes
        let end = bytes.firstIndex(of: 0) ?? bytes.endIndex
        for word in bytes[end...].dropFirst().split(separator: UInt8(ascii: " ")) {
            if let target = word.value(of: "symref=HEAD:") { collector.setHead(target: target) }
        }
        state = .references
        try reference(bytes[..<end])
    }

    private mutating func reference(_ line: ArraySlice<UInt8>) throws(AdvertisementProblem) {
        let (object, name) = try line.splitAtSpace()
        // `shallow <object>` lines follow the references of a shallow repository.
        if object.elementsEqual("shallow".utf8) { return }
        guard object.isObjectName, !name.isEmpty else { throw .unexpected }
        if name.elementsEqual("capabilities^{}".utf8) { return }
        try collector.add(object: object, name: name)
    }

    private mutating func capability(_ line: ArraySlice<UInt8>) throws(AdvertisementProblem) {
        let key = line.prefix { $0 != UInt8(ascii: "=") }
        let value = line.dropFirst(key.count + 1)
        switch String(decoding: key, as: UTF8.self) {
        case "agent": capabilities?.hasAgent = true
        case "object-format":
            let format = String(decoding: value, as: UTF8.self)
            guard format == "sha1" || format == "sha256" else { throw .unexpected }
            capabilities?.objectFormat = format
        case "ls-refs":
            capabilities?.hasListReferences = true
            capabilities?.listsUnborn = value.split(separator: UInt8(ascii: " ")).contains {
                $0.elementsEqual("unborn".utf8)
            }
        default: break
        }
    }
}

/// Reads the answer to version 2's `ls-refs` command.
package struct ReferenceList: Sendable {
    private var collector: BranchCollector
    /// Whether the closing flush packet came.
    package private(set) var isComplete = false

    /// How we introduce ourselves inside the protocol.
    private static let agent = "opencode-router/1"

    package init(maximumReferences: Int) {
        collector = BranchCollector(maximumCount: maximumReferences)
    }

    /// The branches so far.
    package var branches: RemoteBranches { collector.branches }

    /// Takes the next packet.
    package mutating func consume(_ packet: Packet) throws(AdvertisementProblem) {
        guard !isComplete else { throw .unexpected }
        switch packet {
        case .flush: isComplete = true
        case .delimiter, .responseEnd: throw .unexpected
        case .data(let bytes):
            let (object, rest) = try Line(checked: bytes).bytes.splitAtSpace()
            let words = rest.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            guard let name = words.first, !name.isEmpty else { throw .unexpected }
            if name.elementsEqual("HEAD".utf8) {
                for word in words.dropFirst() {
                    if let target = word.value(of: "symref-target:") { collector.setHead(target: target) }
                }
            }
            if object.elementsEqual("unborn".utf8) { return }
            guard object.isObjectName else { throw .unexpected }
            try collector.add(object: object, name: name)
        }
    }

    /// The body of the request that lists HEAD and the branches, asking only for what the server offers.
    package static func request(_ capabilities: ServerCapabilities) -> [UInt8] {
        var body = PacketLines.line("command=ls-refs\n")
        if capabilities.hasAgent { body += PacketLines.line("agent=\(Self.agent)") }
        if let format = capabilities.objectFormat { body += PacketLines.line("object-format=\(format)") }
        body += Array("0001".utf8)
        body += PacketLines.line("symrefs\n")
        if capabilities.listsUnborn { body += PacketLines.line("unborn\n") }
        body += PacketLines.line("ref-prefix HEAD\n")
        body += PacketLines.line("ref-prefix refs/heads/\n")
        return body + Array("0000".utf8)
    }
}

/// A packet's payload without its line end.
private struct Line {
    let bytes: ArraySlice<UInt8>

    init(_ payload: [UInt8]) {
        bytes = payload.last == UInt8(ascii: "\n") ? payload.dropLast() : payload[...]
    }

    /// Turns an `ERR` packet into the error it is.
    init(checked payload: [UInt8]) throws(AdvertisementProblem) {
        self.init(payload)
        if let message = bytes.value(of: "ERR ") { throw .remote(Self.printable(message)) }
    }

    /// What a hostile server may put into a sentence for a person: one short line.
    private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes.prefix(300), as: UTF8.self)
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.isPrintable ? $0 : " " }))
    }
}

extension Unicode.Scalar.Properties {
    /// Neither a control, format, private nor line-breaking character.
    fileprivate var isPrintable: Bool {
        switch generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}

extension ArraySlice<UInt8> {
    /// What follows this prefix; nil if it is not there.
    fileprivate func value(of prefix: String) -> ArraySlice<UInt8>? {
        starts(with: prefix.utf8) ? dropFirst(prefix.utf8.count) : nil
    }

    /// The bytes before and behind the first space.
    fileprivate func splitAtSpace() throws(AdvertisementProblem) -> (ArraySlice<UInt8>, ArraySlice<UInt8>) {
        guard let space = firstIndex(of: UInt8(ascii: " ")) else { throw .unexpected }
        return (self[..<space], self[(space + 1)...])
    }

    /// Whether this is a SHA-1 or SHA-256 name in lower-case hexadecimal digits.
    fileprivate var isObjectName: Bool {
        (count == 40 || count == 64)
            && allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66) }
    }
}
