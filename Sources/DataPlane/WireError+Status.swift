package import HTTPWire

extension WireError {
    /// The status that a request is refused with for this, on every listener (RFC 9110 §15, RFC 6585 §5).
    package var status: Int {
        switch self {
        case .connectRefused, .traceRefused: 405
        case .lineTooLong: 414
        case .unknownExpectation: 417
        case .headTooLarge, .tooManyFields: 431
        case .unknownTransferEncoding: 501
        case .unsupportedVersion, .http2Preface: 505
        default: 400
        }
    }
}
