internal import Glibc

/// The wall clock as the workers need it: milliseconds for records, and the text of the Date field.
package struct ClockText {
    private var second: Int = .min
    /// The text of the Date field (IMF-fixdate, RFC 9110 §5.6.7) when it was last updated.
    package private(set) var date: [UInt8] = Array("Thu, 01 Jan 1970 00:00:00 GMT".utf8)

    /// Makes a clock that shows 1970 until it is updated.
    package init() {}

    /// Milliseconds since 1970, at the precision of the kernel's tick.
    static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Microseconds on the monotonic clock, for durations.
    static func microseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }

    /// Brings `date` up to the present second.
    package mutating func update() {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        guard time.tv_sec != second else { return }
        second = time.tv_sec
        var parts = tm()
        gmtime_r(&time.tv_sec, &parts)
        let days: StaticString = "SunMonTueWedThuFriSat"
        let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"
        for offset in 0..<3 {
            date[offset] = days.utf8Start[Int(parts.tm_wday) * 3 + offset]
            date[8 + offset] = months.utf8Start[Int(parts.tm_mon) * 3 + offset]
        }
        let year = Int(parts.tm_year) + 1900
        put(Int(parts.tm_mday), at: 5)
        put(year / 100, at: 12)
        put(year % 100, at: 14)
        put(Int(parts.tm_hour), at: 17)
        put(Int(parts.tm_min), at: 20)
        put(Int(parts.tm_sec), at: 23)
    }

    private mutating func put(_ number: Int, at offset: Int) {
        date[offset] = 0x30 + UInt8(number / 10)
        date[offset + 1] = 0x30 + UInt8(number % 10)
    }
}
