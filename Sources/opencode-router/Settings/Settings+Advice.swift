internal import FoundationEssentials

extension Settings {
    /// What an operator should look at, though the router can start: whole sentences.
    var advice: [String] { [podURLAdvice, pageAdvice].compactMap(\.self) }

    /// The original served its page by a development server where this was set.
    private var pageAdvice: String? {
        let isSet = effective.contains { $0.declaration.name == "DEV_VITE_URL" && $0.value != nil }
        guard isSet else { return nil }
        return "DEV_VITE_URL does nothing: the picker has no build step, and PUBLIC_DIR is served as it is."
    }

    /// The original's OPENCODE_ROUTER_URL named the port that browsers use, where pods are not answered any more.
    private var podURLAdvice: String? {
        guard let text = kubernetes?.routerURL, let url = URL(string: text), let port = url.port,
            port != Int(listeners.podPort)
        else { return nil }
        let others = [
            ("PORT", listeners.port), ("ATTACH_PORT", listeners.attachPort ?? listeners.port),
            ("METRICS_PORT", listeners.metricsPort),
        ]
        guard let (name, _) = others.first(where: { Int($0.1) == port }) else { return nil }
        return """
            OPENCODE_ROUTER_URL is \(text), whose port is that of \(name); sessions are answered on POD_PORT alone, so they \
            can report nothing and git in them gets no new token. Set it to a service of port \(listeners.podPort).
            """
    }
}
