/// Why bytes are not a message the gateway accepts; each case is one decision, the status is chosen in DataPlane.
package enum WireError: Error, Equatable, Sendable {
    // Lines
    case bareCarriageReturn, bareLineFeed, nulByte, controlByte, obsoleteFolding
    case lineTooLong, headTooLarge, tooManyFields
    // Request line
    case malformedRequestLine, malformedMethod, malformedTarget, unsupportedVersion, http2Preface, http09
    // Host and target
    case missingHost, duplicateHost, malformedHost, hostTargetMismatch
    // Fields
    case malformedFieldName, whitespaceBeforeColon, malformedFieldValue, connectionNamesEndToEndField
    // Framing
    case conflictingLength, malformedLength, duplicateLength, lengthWithTransferEncoding
    case unknownTransferEncoding, transferEncodingInHTTP10
    case unknownExpectation, malformedUpgrade, upgradeWithBody
    // Methods refused as such
    case connectRefused, traceRefused
    // Chunks
    case malformedChunkSize, chunkExtensionTooLong, malformedChunkEnd, malformedTrailer, trailersTooLarge
    case forbiddenTrailer
    // Answers
    case malformedStatusLine, switchedWithoutRequest, tooManyInterimResponses
}
