internal import Sessions

extension Pass {
    func recordPlan(
        _ sessions: [SessionID: SessionFacts], _ outcome: inout PassOutcome
    ) async -> Reconciler.RecordPlan? {
        do throws(CloudflareError) {
            return reconciler.plan(records: try await cloudflare.ownRecords(), sessions: sessions)
        } catch {
            fail("DNS records cannot be listed", error.description, &outcome, error.retryAfter)
            return nil
        }
    }

    func makeRecords(_ plan: Reconciler.RecordPlan, _ outcome: inout PassOutcome) async {
        let target = reconciler.tunnelName
        await apply(.dns, .create, plan.added, &outcome) { name in
            await Self.item(name) { () async throws(CloudflareError) in
                try await self.cloudflare.createRecord(name, to: target)
            }
        }
        await apply(.dns, .update, plan.changed, &outcome) { record in
            await Self.item(record.name) { () async throws(CloudflareError) in
                try await self.cloudflare.correctRecord(record, to: target)
            }
        }
    }

    func removeRecords(_ plan: Reconciler.RecordPlan, _ outcome: inout PassOutcome) async {
        await apply(.dns, .delete, plan.removed, &outcome) { record in
            await Self.item(record.name) { () async throws(CloudflareError) in
                try await self.cloudflare.deleteRecord(record)
            }
        }
    }

    private static func item(
        _ name: String, _ body: () async throws(CloudflareError) -> Void
    ) async -> ItemFailure? {
        do throws(CloudflareError) {
            try await body()
            return nil
        } catch {
            return ItemFailure("\(name): \(error)", error.retryAfter)
        }
    }
}
