internal import KubernetesAPI
internal import Sessions

extension Pass {
    func routePlan(
        _ sessions: [SessionID: SessionFacts], _ outcome: inout PassOutcome
    ) async -> Reconciler.RoutePlan? {
        do throws(KubernetesError) {
            let present = try await cluster.list(IngressRoute.self, RouteTemplate.selector)
            return reconciler.plan(routes: present, sessions: sessions)
        } catch {
            fail("routes cannot be listed", error.description, &outcome)
            return nil
        }
    }

    func makeRoutes(_ plan: Reconciler.RoutePlan, _ outcome: inout PassOutcome) async {
        let template = reconciler.template
        await apply(.route, .create, plan.added.sorted { $0.key < $1.key }, &outcome) { name, spec in
            await self.send(.create, name: nil, template.document(name, spec), what: name)
        }
        await apply(.route, .update, Array(plan.changed), &outcome) { route, spec in
            let name = route.metadata.name ?? ""
            let document = template.document(name, spec, version: route.metadata.resourceVersion)
            return await self.send(.update, name: name, document, what: name)
        }
    }

    func removeRoutes(_ plan: Reconciler.RoutePlan, _ outcome: inout PassOutcome) async {
        await apply(.route, .delete, plan.removed, &outcome) { route in
            let name = route.metadata.name ?? ""
            do throws(KubernetesError) {
                _ = try await self.cluster.delete(IngressRoute.resource, name, uid: route.metadata.uid)
                return nil
            } catch {
                return ItemFailure("\(name): \(error)", nil)
            }
        }
    }

    private func send(_ verb: Verb, name: String?, _ document: JSONValue, what: String) async -> ItemFailure? {
        do throws(KubernetesError) {
            try await cluster.perform(
                KubernetesRequest(
                    verb, IngressRoute.resource, namespace: cluster.namespace, name: name, body: document))
            return nil
        } catch {
            return ItemFailure("\(what): \(error)", error.retryAfter.map { .seconds($0) })
        }
    }
}
