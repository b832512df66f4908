/// Why bytes are not a message the gateway accepts; each case is one decision, and DataPlane gives it a status.
public enum WireError: Error, Equatable, Sendable {
    // Lines
    case bareCarriageReturn, bareLineFeed, nulByte, controlByte, obsoleteFolding
    case lineTooLong, headTooLarge, tooManyFields
    /// The bytes given to a parser are not exactly one complete head: a caller's mistake, not the peer's.
    case incompleteHead
    // Request line
    case malformedRequestLine, malformedMethod, malformedTarget, unsupportedVersion, http2Preface, http09
    // Host and target
    case missingHost, duplicateHost, malformedHost, hostTargetMismatch
    // Fields
    case malformedFieldName, whitespaceBeforeColon, malformedFieldValue, connectionNamesEndToEndField
    // Framing
    case conflictingLength, malformedLength, duplicateLength, lengthWithTransferEncoding
    case unknownTransferEncoding, malformedTransferEncoding, transferEncodingInHTTP10
    case unknownExpectation, malformedUpgrade, upgradeWithBody
    // Methods refused as such
    case connectRefused, traceRefused
    // Chunks
    case malformedChunkSize, chunkExtensionTooLong, malformedChunkEnd, malformedTrailer, trailersTooLarge
    case forbiddenTrailer
    // Answers
    case malformedStatusLine, switchedWithoutRequest, tooManyInterimResponses
}
