private let policies = try! PoliciesForProperties()

/// The entry point that libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafeRawPointer?, _ count: Int) -> Int32 {
    do {
        let input = UnsafeRawBufferPointer(start: start, count: count)
        try checkIdentity(input, policies)
        try checkAttachPassword(input)
    } catch {
        fatalError("\(error)")
    }
    return 0
}
