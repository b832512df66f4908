import Testing

@testable import Assets

@Suite("Ranges and entity tags")
struct RangeTests {
    @Test(
        "One range of bytes, or the whole",
        arguments: [
            ("bytes=0-0", RangeRequest.part(0..<1)), ("bytes=0-99", .part(0..<100)), ("bytes=0-100", .part(0..<100)),
            ("bytes=0-", .part(0..<100)), ("bytes=99-", .part(99..<100)), ("bytes=50-60", .part(50..<61)),
            ("bytes=-1", .part(99..<100)), ("bytes=-100", .part(0..<100)), ("bytes=-1000", .part(0..<100)),
            ("BYTES=1-2", .part(1..<3)), ("bytes=1-99999999999999999999999999", .part(1..<100)),
            ("bytes=100-", .unsatisfiable), ("bytes=100-200", .unsatisfiable), ("bytes=-0", .unsatisfiable),
            ("bytes=99999999999999999999999999-", .unsatisfiable),
            ("bytes=", .whole), ("bytes=-", .whole), ("bytes=5-4", .whole), ("bytes=0-1,3-4", .whole),
            ("bytes=a-b", .whole), ("bytes= 0-1", .whole), ("bytes=0 -1", .whole), ("bytes=0-1x", .whole),
            ("bytes=+0-1", .whole), ("bytes 0-1", .whole), ("lines=0-1", .whole), ("", .whole), ("bytes=--1", .whole),
            ("bytes=0x1-2", .whole),
        ])
    func ranges(value: String, expected: RangeRequest) {
        var copy = value
        copy.withUTF8 { #expect(RangeRequest(UnsafeRawBufferPointer($0), size: 100) == expected) }
    }

    @Test("Nothing can be cut from an empty file", arguments: ["bytes=0-", "bytes=-1", "bytes=0-0"])
    func empty(value: String) {
        var copy = value
        copy.withUTF8 { #expect(RangeRequest(UnsafeRawBufferPointer($0), size: 0) == .unsatisfiable) }
    }

    @Test(
        "If-None-Match is a list, compared weakly",
        arguments: [
            ("\"abc\"", true), ("W/\"abc\"", true), ("\"x\", \"abc\"", true), ("\"x\",\"abc\",\"y\"", true),
            ("*", true),
            ("W/\"x\" , W/\"abc\"", true), ("\"a,b\", \"abc\"", true), (" \"abc\"", true), (",\"abc\"", true),
            ("", false), ("abc", false), ("\"ABC\"", false), ("\"abcd\"", false), ("\"abc", false),
            ("w/\"abc\"", false),
            ("\"x\", abc, \"abc\"", false), ("W/abc", false), ("W/", false), ("\"", false), ("\"x,\"abc\"", false),
        ])
    func tags(value: String, expected: Bool) {
        var copy = value
        var tag = "\"abc\""
        copy.withUTF8 { value in
            tag.withUTF8 { tag in
                #expect(EntityTags.lists(UnsafeRawBufferPointer(value), UnsafeRawBufferPointer(tag)) == expected)
            }
        }
    }

    @Test(
        "If-Match is a list, too, compared strongly",
        arguments: [
            ("\"abc\"", true), ("\"x\", \"abc\"", true), ("*", true), ("W/\"abc\", \"abc\"", true),
            ("W/\"abc\"", false), ("\"x\"", false), ("abc", false), ("", false),
        ])
    func strongTags(value: String, expected: Bool) {
        var copy = value
        var tag = "\"abc\""
        copy.withUTF8 { value in
            tag.withUTF8 { tag in
                let value = UnsafeRawBufferPointer(value)
                #expect(EntityTags.lists(value, UnsafeRawBufferPointer(tag), strongly: true) == expected)
            }
        }
    }
}
