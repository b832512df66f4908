/// What a setting's text must look like; the reader checks it before anything else sees the value.
enum SettingKind: Sendable, Equatable {
    case text
    case boolean
    case integer(ClosedRange<Int>)
    /// A decimal number, in the unit that the setting's name ends with.
    case number(ClosedRange<Double>)
    case choice([String])
    /// Items separated by commas.
    case list
    case email
    case emails
    /// A DNS name with an optional `:port`.
    case domain
    case domains
    /// What may stand at the start or end of a host's first label: letters, digits and hyphens.
    case labelPart
    case fieldName
    case address
    /// Addresses and CIDR ranges, separated by commas.
    case addressRanges
    case url
    /// A Kubernetes quantity such as `250m` or `2Gi`.
    case quantity
    case path
    case json
    case lines

    /// What is accepted, to stand after "expected" in a message and in the reference.
    var accepted: String {
        switch self {
        case .text: "text"
        case .boolean: "true or false"
        case .integer(let range):
            range.upperBound == .max
                ? "a whole number, at least \(range.lowerBound)"
                : "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            "a number from \(Self.plain(range.lowerBound)) to \(Self.plain(range.upperBound))"
        case .choice(let words): words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
        case .list: "items separated by commas"
        case .email: "one e-mail address"
        case .emails: "e-mail addresses separated by commas"
        case .domain: "a DNS name, with or without :port"
        case .domains: "DNS names separated by commas"
        case .labelPart: "up to 30 letters, digits and hyphens"
        case .fieldName: "the name of an HTTP field"
        case .address: "a numeric IPv4 or IPv6 address"
        case .addressRanges: "addresses or ranges (10.0.0.0/8, fd00::/8) separated by commas"
        case .url: "an http:// or https:// URL with a host"
        case .quantity: "a Kubernetes quantity such as 250m or 2Gi"
        case .path: "a path"
        case .json: "a JSON list"
        case .lines: "lines of NAME=value"
        }
    }

    private static func plain(_ number: Double) -> String {
        number == number.rounded() ? "\(Int(number))" : "\(number)"
    }
}

/// The headings under which settings are printed.
enum SettingGroup: String, CaseIterable, Sendable {
    case listeners = "Listeners"
    case hosts = "Hosts and URLs"
    case identity = "Identity"
    case repositories = "Repositories"
    case sessions = "Sessions"
    case local = "Local sessions"
    case kubernetes = "Kubernetes sessions"
    case files = "Files"
    case operations = "Operations"
    case limits = "Limits"
    case development = "Development"
    case cloudflare = "Cloudflare"
    case routes = "Hosts and routes"
    case watching = "Sessions and cluster"
    case running = "Running the operator"
}

/// One setting: everything that is known about it before its value is.
///
/// The same value makes the environment variable, the flag, the help text, the reference page and the check.
struct SettingDeclaration: Sendable {
    /// The environment variable.
    let name: String
    let kind: SettingKind
    /// The value used when nothing is set, as it would be written; nil if the setting is then absent.
    let fallback: String?
    /// What the reader of the help sees instead of `fallback` when the default is computed.
    let fallbackNote: String?
    /// One sentence or two, without markup.
    let meaning: String
    let group: SettingGroup
    let isSecret: Bool
    /// Set on `NAME_FILE`: the setting whose value the file holds.
    let fileOf: String?
    /// A shorter option that means the same.
    let alias: String?

    init(
        _ name: String, _ kind: SettingKind, _ group: SettingGroup, default fallback: String? = nil,
        note: String? = nil, secret: Bool = false, fileOf: String? = nil, alias: String? = nil,
        _ meaning: String
    ) {
        self.name = name
        self.kind = kind
        self.group = group
        self.fallback = fallback
        self.fallbackNote = note
        self.isSecret = secret
        self.fileOf = fileOf
        self.alias = alias
        self.meaning = meaning
    }

    /// The long option: `--` and the name in lower case with hyphens.
    var flag: String { "--" + name.lowercased().replacing("_", with: "-") }

    /// The default as shown to a person; empty if the setting is then simply not set.
    var shownFallback: String { fallbackNote ?? fallback ?? "" }

    /// The sibling `NAME_FILE` of a secret, so that its value need not stand in the environment.
    var fileVariant: SettingDeclaration? {
        guard isSecret else { return nil }
        return SettingDeclaration(
            name + "_FILE", .path, group, fileOf: name,
            "File that holds \(name), instead of the value itself; read again on SIGHUP.")
    }

    /// The value as it may be shown or logged.
    func shown(_ value: String) -> String { isSecret ? "(redacted)" : value }
}
