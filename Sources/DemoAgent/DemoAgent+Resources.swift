internal import Glibc

extension DemoAgent.Configuration {
    /// The resources folder to use: the one that is named, else the nearest `Resources` with this page's files in the
    /// program's folder or one of the folders above it, which covers an installation as well as a build tree.
    ///
    /// Never a folder relative to the working directory: that is the repository, whose files are somebody else's.
    package static func resources(named name: String?, program: String = "/proc/self/exe") -> String? {
        if let name, !name.isEmpty { return name }
        guard let path = realpath(program, nil) else { return nil }
        defer { free(path) }
        var folder = String(cString: path)[...]
        for _ in 0..<6 {
            guard let slash = folder.lastIndex(of: "/") else { return nil }
            folder = folder[..<slash]
            let candidate = folder + "/Resources"
            if Glibc.access(candidate + "/demo-agent/index.html", R_OK) == 0 { return String(candidate) }
        }
        return nil
    }
}
