internal import Logging
internal import Sessions

extension Pass {
    /// Reads of the tunnel's document before it is left to the next pass.
    private static let tunnelAttempts = 6

    /// Reads, plans, reads again, writes at most once, and reads what was stored.
    ///
    /// The API has no conditional write. The second read comes right before the write; what was changed until then is
    /// planned anew. What is changed between that read and the write shows in the version, and is reported.
    func writeTunnel(_ sessions: [SessionID: SessionFacts], _ outcome: inout PassOutcome) async {
        let intent = reconciler.tunnelIntent(sessions)
        var written: TunnelEdit?
        do throws(CloudflareError) {
            var document = try await cloudflare.tunnelDocument()
            for host in document.conflicts(with: intent) { conflict("tunnel rule", host, &outcome) }
            for _ in 0..<Self.tunnelAttempts {
                guard let edit = document.edit(toward: intent) else {
                    if let written { check(document, after: written, intent) }
                    return
                }
                let again = try await cloudflare.tunnelDocument()
                guard again == document else {
                    document = again
                    continue
                }
                try await write(edit, over: document, &outcome)
                written = edit
                document = try await cloudflare.tunnelDocument()
            }
            fail("the tunnel's rules", "somebody else keeps changing them", &outcome)
        } catch {
            report(.changed(.tunnel, .update, count: 1, succeeded: false))
            fail("the tunnel's rules", error.description, &outcome, error.retryAfter)
        }
    }

    private func write(
        _ edit: TunnelEdit, over document: TunnelDocument, _ outcome: inout PassOutcome
    ) async throws(CloudflareError) {
        let version = try await cloudflare.replaceTunnel(edit.body)
        outcome.changes += edit.added.count + edit.removed.count
        report(.changed(.tunnel, .update, count: 1, succeeded: true))
        logger.info(
            "tunnel rules written",
            metadata: [
                "added": "\(edit.added.count)", "removed": "\(edit.removed.count)", "version": "\(version ?? 0)",
            ])
        if let version, let before = document.version, version != before + 1 {
            report(.overwrote)
            logger.error(
                """
                somebody else changed the tunnel's rules at the same moment, and our write may have replaced theirs; \
                compare the rules with the audit log of the account
                """,
                metadata: ["read": "\(before)", "written": "\(version)"])
        }
    }

    /// That the rules of others are what was sent; nothing more is done about it, for a second write would not help.
    private func check(_ document: TunnelDocument, after edit: TunnelEdit, _ intent: TunnelIntent) {
        let present = document.foreign(to: intent)
        for rule in edit.foreign where !present.contains(where: rule.says) {
            // Somebody may have taken it away since, which is their right; they will know.
            logger.warning(
                "a rule of somebody else is not in the tunnel any more",
                metadata: ["hostname": "\(rule.hostname ?? "*")", "service": "\(rule.service ?? "")"])
        }
    }
}
