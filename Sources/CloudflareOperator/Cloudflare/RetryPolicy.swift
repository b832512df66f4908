/// How often and how late a request to the API is repeated, as a pure decision.
package enum RetryPolicy {
    /// A request is sent at most so often.
    package static let maximumAttempts = 4
    /// The API is waited for within one request at most so long; a longer wish ends the request.
    package static let longestPause = Duration.seconds(20)

    /// How long to wait before the next attempt; nil: give up.
    ///
    /// What the API asks for, or 0.5, 1 and 2 seconds, and up to half more, so that many do not come back at once.
    ///
    /// - Parameters:
    ///   - attempts: how many were made.
    ///   - jitter: from 0 to 1.
    package static func pause(after attempts: Int, retryAfter: Duration?, jitter: Double) -> Duration? {
        guard attempts < maximumAttempts else { return nil }
        if let retryAfter, retryAfter > longestPause { return nil }
        let own = Duration.milliseconds(500 << max(0, attempts - 1))
        return max(own, retryAfter ?? .zero) * (1 + min(1, max(0, jitter)) / 2)
    }

    /// How long to wait before another pass when `failures` in a row went wrong: 2, 4, 8, … 60 seconds and up to half
    /// more, or what the API asks for, at most ten minutes.
    package static func pauseOfPasses(failures: Int, retryAfter: Duration?, jitter: Double) -> Duration {
        let own = Duration.seconds(min(60, 1 << min(6, max(1, failures))))
        return max(own, min(retryAfter ?? .zero, .seconds(600))) * (1 + min(1, max(0, jitter)) / 2)
    }
}
