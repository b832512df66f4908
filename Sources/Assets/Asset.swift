/// One file of the site in every coding it is kept in.
struct Asset: Sendable {
    /// The file in one content coding, with the heads of all its answers.
    struct Variant: Sendable {
        let body: Region
        /// The entity tag with its quotes.
        let tag: Region
        /// 200, or the asset's own status; complete.
        let full: Region
        /// 206 without Content-Length and Content-Range.
        let partial: Region
        /// 304; complete.
        let notModified: Region
        /// 416; complete.
        let unsatisfiable: Region
    }

    /// The path below the site's root, with a leading slash.
    let path: Region
    let status: Int
    let identity: Variant
    let gzip: Variant?
    let brotli: Variant?

    func variant(_ coding: ContentCoding) -> Variant {
        switch coding {
        case .identity: identity
        case .gzip: gzip ?? identity
        case .brotli: brotli ?? identity
        }
    }
}
