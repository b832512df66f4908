extension KubernetesClient {
    /// All objects of a kind that the selector takes, page by page.
    package func list<Object: KubernetesObject>(
        _ type: Object.Type, _ selector: ObjectSelector
    ) async throws(KubernetesError) -> [Object] {
        var attempts = 1
        while true {
            do throws(KubernetesError) { return try await pages(of: type, selector) } catch {
                // A token older than the server's memory: the list begins anew, but not for ever.
                guard error.status == 410, attempts < 3 else { throw error }
                attempts += 1
            }
        }
    }

    private func pages<Object: KubernetesObject>(
        of type: Object.Type, _ selector: ObjectSelector
    ) async throws(KubernetesError) -> [Object] {
        var found: [Object] = []
        var token: String?
        repeat {
            let page = try await call(
                .list(Object.resource, namespace: namespace, selector: selector, continuing: token),
                as: ObjectList<Object>.self)
            found += page.items
            token = page.metadata.continue.flatMap { $0.isEmpty ? nil : $0 }
        } while token != nil
        return found
    }
}
