import Testing

@testable import HTTPWire

@Suite("Comparing without regard to case")
struct IgnoringCaseTests {
    private func equal(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        one.withUnsafeBytes { one in other.withUnsafeBytes { one.equalsIgnoringCase($0) } }
    }

    @Test("Of two bytes only the two cases of a letter are equal, at every place", arguments: [1, 7, 8, 13])
    func everyPair(length: Int) {
        for place in 0..<length {
            var one = [UInt8](repeating: UInt8(ascii: "x"), count: length)
            var other = one
            for left in UInt8.min...UInt8.max {
                one[place] = left
                for right in UInt8.min...UInt8.max {
                    other[place] = right
                    guard equal(one, other) != (asciiLowercased(left) == asciiLowercased(right)) else { continue }
                    Issue.record("\(left) and \(right) at \(place) of \(length)")
                }
            }
        }
    }

    @Test("Another length is another name")
    func lengths() {
        #expect(equal([], []))
        #expect(!equal([], [0x61]))
        #expect(!equal(Array("x-gateway-key".utf8), Array("x-gateway-keys".utf8)))
    }

    @Test("A byte is found where it comes first, or nowhere", arguments: 0...20)
    func first(place: Int) {
        var bytes = [UInt8](repeating: 0x3a, count: 20)
        for index in place..<20 { bytes[index] = 0x3b }
        bytes.withUnsafeBytes {
            #expect($0.first(0x3b, from: 0) == place)
            #expect($0.first(0x3b, from: 20) == 20)
        }
    }
}
