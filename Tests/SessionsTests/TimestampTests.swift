import Foundation
import Testing

@testable import Sessions

@Suite("Timestamps")
struct TimestampTests {
    @Test(
        "A moment is written with milliseconds in UTC and read back",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_164_800_250, "2024-02-29T00:00:00.250Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func roundTrip(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
        #expect(Timestamp(text) == Timestamp(milliseconds: milliseconds))
    }

    @Test("Every day of five centuries agrees with Foundation")
    func everyDay() throws {
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        for day in stride(from: Int64(-80_000), through: 100_000, by: 7) {
            let stamp = Timestamp(milliseconds: day * 86_400_000 + 45_296_250)
            let date = Date(timeIntervalSince1970: TimeInterval(stamp.milliseconds) / 1000)
            #expect(stamp.description == date.formatted(format))
            #expect(Timestamp(stamp.description) == stamp)
        }
    }

    @Test(
        "Fractions of any length are read, offsets and nonsense are not",
        arguments: [
            ("2024-01-02T03:04:05Z", 1_704_164_645_000), ("2024-01-02T03:04:05.1Z", 1_704_164_645_100),
            ("2024-01-02T03:04:05.123456789Z", 1_704_164_645_123),
            ("2024-01-02T03:04:05." + String(repeating: "9", count: 40) + "Z", 1_704_164_645_999),
            ("2024-01-02T03:04:05.123x4Z", nil), ("9999-12-31T23:59:60.999Z", 253_402_300_800_999),
            ("2024-02-30T00:00:00Z", nil),
            ("2024-01-02T03:04:05.Z", nil), ("2024-01-02T03:04:05+01:00", nil), ("2024-01-02 03:04:05Z", nil),
            ("2024-13-02T03:04:05Z", nil), ("", nil), ("2024-01-02T03:04:05", nil), ("2024-1a-02T03:04:05Z", nil),
        ] as [(String, Int64?)])
    func reading(text: String, milliseconds: Int64?) {
        #expect(Timestamp(text)?.milliseconds == milliseconds)
    }

    @Test(
        "The ends of what can be counted are written, too",
        arguments: [
            (Int64.max, "292278994-08-17T07:12:55.807Z"), (Int64.min, "-292275055-05-16T16:47:04.192Z"),
        ])
    func ends(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
    }
}
