internal import HTTPWire
internal import Identity
internal import LinuxIO

/// Whether the caller is still signed in: asked before the request (AUTH_RECHECK_URL), and again for as long as its answer
/// lasts.
extension Exchange {
    /// Refuses a caller whose sign-in has ended; true if that had to be waited for, so that other decisions may be old.
    func confirmSignIn(
        _ who: Identification, under recheck: SignInRecheck, on connection: Connection
    ) async throws(Refusal) -> Bool {
        let bytes = connection.input!.bytes
        let cookies = worker.settings.cookies.signInCookies(request, in: bytes)
        // Whoever has no cookie has no sign-in that could be asked about.
        guard let email = worker.gatekeeper.email(who, in: bytes), !cookies.isEmpty else { throw .signInEnded }
        let signIn = SignIn(cookies: cookies, email: email)
        admission.signIn = signIn
        admission.signInDue = worker.executor.now.advanced(seconds: recheck.stream)
        if let standing = worker.signIns?.standing(of: signIn.digest, at: worker.executor.now) {
            try judge(standing)
            return false
        }
        let question = SignInQuestion(signIn, to: worker.control, for: connection)
        while true {
            if let verdict = question.verdict {
                try judge(remember(verdict, signIn))
                return true
            }
            guard await waitForControl(on: connection) else { throw .timedOut }
        }
    }

    private func judge(_ standing: SignInCache.Standing) throws(Refusal) {
        switch standing {
        case .holds: return
        case .ended: throw .signInEnded
        case .unconfirmed: throw .signInUnconfirmed
        }
    }

}

extension Admitted {
    func remember(_ verdict: SignInVerdict, _ signIn: SignIn) -> SignInCache.Standing {
        worker.signIns?.take(verdict, for: signIn.digest, at: worker.executor.now) ?? .unconfirmed
    }

    /// Asks again, once it is due, for an answer that lasts; called every second.
    func recheckSignIn(under recheck: SignInRecheck, on connection: Connection) {
        guard let signIn = admission.signIn else { return }
        let now = worker.executor.now
        if let verdict = admission.signInQuestion?.verdict {
            admission.signInQuestion = nil
            // The cache knows until when the last confirmation counts; an outage alone cuts nobody off before.
            let isAsked = verdict != .unknown
            switch remember(verdict, signIn) {
            case .holds: admission.signInDue = now.advanced(seconds: isAsked ? recheck.stream : recheck.fresh)
            case .ended: cutOff(.signInEnded, on: connection)
            case .unconfirmed: cutOff(.signInUnconfirmed, on: connection)
            }
        } else if admission.signInQuestion == nil, admission.signInDue <= now {
            admission.signInQuestion = SignInQuestion(signIn, to: worker.control, for: connection)
        }
    }
}

/// One question about a sign-in on its way to the control side, and the answer once it is there.
///
/// Unchecked: the answer is the loop's; it comes in by the loop's mailbox.
final class SignInQuestion: @unchecked Sendable {
    private(set) var verdict: SignInVerdict?

    init(_ signIn: SignIn, to control: any ControlPlane, for connection: Connection) {
        let executor = connection.worker.executor
        let waker = connection.waiter.remote
        Task.detached {
            let verdict = await control.confirm(signIn)
            executor.post {
                self.verdict = verdict
                waker.wakeFromLoop()
            }
        }
    }
}
