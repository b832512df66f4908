import HTTPWire

/// What a request head says about the page it comes from.
struct OriginFacts {
    /// The value of `Sec-Fetch-Site`.
    enum Site {
        case absent, sameOrigin, sameSite, crossSite, none, unknown
    }

    var site = Site.absent
    var origin: ByteRange?
    var isServiceWorker = false
    var hasCookie = false
    var isJSON = false
    private var navigates = false
    private var isDocument = false

    /// Whether a browser is opening this as a page of its own, by typing, a link or a redirect.
    var isNavigation: Bool { navigates && isDocument }

    /// Collects the facts; a field that decides and comes twice is refused.
    static func read(
        _ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer
    ) -> Result<OriginFacts, OriginRefusal> {
        var facts = OriginFacts()
        var seen: (site: Bool, mode: Bool, dest: Bool, type: Bool) = (false, false, false, false)
        for index in 0..<head.fields.count {
            let field = head.fields[index]
            switch field.known {
            case .origin:
                guard facts.origin == nil else { return .failure(.ambiguous) }
                facts.origin = field.value
            case .secFetchSite:
                guard !seen.site else { return .failure(.ambiguous) }
                seen.site = true
                facts.site = Self.site(field.value.bytes(in: buffer))
            case .secFetchMode:
                guard !seen.mode else { return .failure(.ambiguous) }
                seen.mode = true
                facts.navigates = Bytes.equal(field.value.bytes(in: buffer), "navigate")
            case .secFetchDest:
                guard !seen.dest else { return .failure(.ambiguous) }
                seen.dest = true
                let value = field.value.bytes(in: buffer)
                facts.isDocument = Bytes.equal(value, "document")
                if Bytes.equal(value, "serviceworker") { facts.isServiceWorker = true }
            case .serviceWorker:
                facts.isServiceWorker = true
            case .cookie:
                facts.hasCookie = true
            case .contentType:
                guard !seen.type else { return .failure(.ambiguous) }
                seen.type = true
                facts.isJSON = Self.isJSON(field.value.bytes(in: buffer))
            default:
                break
            }
        }
        return .success(facts)
    }

    private static func site(_ value: UnsafeRawBufferPointer) -> Site {
        if Bytes.equal(value, "same-origin") { return .sameOrigin }
        if Bytes.equal(value, "same-site") { return .sameSite }
        if Bytes.equal(value, "cross-site") { return .crossSite }
        if Bytes.equal(value, "none") { return .none }
        return .unknown
    }

    /// Whether a media type is `application/json`, whatever its parameters.
    private static func isJSON(_ value: UnsafeRawBufferPointer) -> Bool {
        var end = 0
        while end < value.count, value[end] != 0x3b, value[end] != 0x20, value[end] != 0x09 { end += 1 }
        guard Bytes.equal(UnsafeRawBufferPointer(rebasing: value[..<end]), "application/json") else { return false }
        while end < value.count, value[end] == 0x20 || value[end] == 0x09 { end += 1 }
        return end == value.count || value[end] == 0x3b
    }
}
