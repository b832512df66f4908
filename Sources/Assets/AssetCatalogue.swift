package import HTTPWire

/// The files of a folder as they were at start, with every answer to GET and HEAD prepared.
///
/// A request costs a search among the paths and a look at its conditions; nothing is allocated, nothing is read from disk,
/// and no path can lead anywhere but to a file that was found at start.
package final class AssetCatalogue: Sendable {
    private let arena: Arena
    /// In the order of their paths as bytes.
    private let assets: [Asset]
    private let index: Asset
    private let notFound: Asset
    private let wrongMethod: Notice
    private let notAcceptable: Notice
    private let changed: Notice

    /// Number of files.
    package var count: Int { assets.count }

    /// Reads the folder.
    ///
    /// `index.html` must be there; `404.html`, if it is, is shown for unknown paths and is no page of its own. `digest` makes
    /// the entity tags and must give different bytes for different files; 16 bytes of it are used.
    package init(
        folder: String, mimeTypes: MIMETypes, securityFields: SecurityFields = .picker,
        digest: ([UInt8]) -> [UInt8]
    ) throws(AssetError) {
        let files = try FolderReader.files(in: folder)
        (arena, assets, index, notFound, wrongMethod, notAcceptable, changed) = try withoutActuallyEscaping(digest) {
            digest throws(AssetError) in
            var builder = AssetBuilder(security: securityFields.text, digest: digest)
            var assets: [Asset] = []
            var index: Asset?
            var notFound: Asset?
            for file in files {
                let type = mimeTypes.entry(forFile: file.path)
                if file.path == "/404.html" {
                    notFound = builder.asset(path: file.path, bytes: file.bytes, type: type, status: 404)
                    continue
                }
                let asset = builder.asset(path: file.path, bytes: file.bytes, type: type)
                if file.path == "/index.html" { index = asset }
                assets.append(asset)
            }
            guard let index else { throw AssetError.missingIndex(folder: folder) }
            let page = MIMETypes.Entry(type: "text/html;charset=utf-8", isCompressed: false)
            let missing =
                notFound ?? builder.asset(path: "", bytes: Array(Self.missingPage.utf8), type: page, status: 404)
            let wrongMethod = builder.notice(
                status: 405, "Files can only be read: use GET or HEAD.\n", fields: "Allow: GET, HEAD\r\n")
            let notAcceptable = builder.notice(
                status: 406, "This file is not available in any coding that Accept-Encoding allows.\n",
                fields: "Vary: Accept-Encoding\r\n")
            let changed = builder.notice(
                status: 412, "The file is not the one that If-Match names: it has changed.\n",
                fields: "Vary: Accept-Encoding\r\n")
            return (builder.arena.build(), assets, index, missing, wrongMethod, notAcceptable, changed)
        }
    }

    /// The answer to a request for a path of the site.
    package func response(to head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer) -> AssetResponse {
        guard head.method == .get || head.method == .head else { return answer(wrongMethod, head) }
        let asset = find(head.path.bytes(in: buffer))
        let accepted = AcceptEncoding(head, in: buffer)
        guard let coding = accepted.choose(gzip: asset.gzip != nil, brotli: asset.brotli != nil) else {
            return answer(notAcceptable, head)
        }
        let variant = asset.variant(coding)
        let body = arena[variant.body]
        guard asset.status == 200 else {
            return answer(asset.status, variant.full, head.method == .head ? nil : body)
        }
        // The order of RFC 9110 §13.2.2: If-Match, If-None-Match, then the range if If-Range allows it.
        let conditions = Conditions(head, in: buffer, tag: arena[variant.tag])
        if conditions.isChanged { return answer(changed, head) }
        if conditions.isUnchanged { return answer(304, variant.notModified, nil) }
        guard head.method == .get else { return answer(200, variant.full, nil) }
        guard let range = conditions.range else { return answer(200, variant.full, body) }
        switch RangeRequest(range.bytes(in: buffer), size: body.count) {
        case .whole:
            return answer(200, variant.full, body)
        case .unsatisfiable:
            return answer(416, variant.unsatisfiable, nil)
        case .part(let part):
            return AssetResponse(
                status: 206, head: arena[variant.partial], extra: InlineFields(part: part, of: body.count),
                body: UnsafeRawBufferPointer(rebasing: body[part]))
        }
    }

    private func answer(_ status: Int, _ head: Region, _ body: UnsafeRawBufferPointer?) -> AssetResponse {
        AssetResponse(
            status: status, head: arena[head], extra: InlineFields(),
            body: body ?? UnsafeRawBufferPointer(start: nil, count: 0))
    }

    private func answer(_ notice: Notice, _ head: borrowing RequestHead) -> AssetResponse {
        answer(notice.status, notice.head, head.method == .head ? nil : arena[notice.body])
    }

    /// The asset that a path names, or the page for unknown paths.
    private func find(_ path: UnsafeRawBufferPointer) -> Asset {
        if RequestPath.isClientRoute(path) { return index }
        return withUnsafeTemporaryAllocation(byteCount: RequestPath.limit, alignment: 1) { room in
            guard let count = RequestPath.decode(path, into: room) else { return notFound }
            let name = UnsafeRawBufferPointer(rebasing: room[..<count])
            var low = 0
            var high = assets.count
            while low < high {
                let middle = (low + high) / 2
                let order = Bytes.compare(name, arena[assets[middle].path])
                if order == 0 { return assets[middle] }
                if order < 0 { high = middle } else { low = middle + 1 }
            }
            return notFound
        }
    }

    private static let missingPage = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>Not found</title>
        <h1>There is no page here</h1>
        <p>The address may be mistyped, or the page was moved. <a href="/">Go to your sessions</a></p>
        </html>

        """
}

/// The conditions of a request against one entity tag.
private struct Conditions {
    /// Whether If-Match says that the client wants other bytes than these.
    private(set) var isChanged = false
    /// Whether If-None-Match says that the client has these bytes.
    private(set) var isUnchanged = false
    /// The one Range field, if If-Range allows it.
    private(set) var range: ByteRange?

    init(_ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer, tag: UnsafeRawBufferPointer) {
        var isAllowed = true
        var ranges = 0
        var isWanted: Bool?
        for index in 0..<head.fields.count {
            let field = head.fields[index]
            switch field.known {
            case .ifMatch:
                isWanted = isWanted == true || EntityTags.lists(field.value.bytes(in: buffer), tag, strongly: true)
            case .ifNoneMatch:
                if EntityTags.lists(field.value.bytes(in: buffer), tag) { isUnchanged = true }
            case .ifRange:
                isAllowed = isAllowed && EntityTags.isExactly(field.value.bytes(in: buffer), tag)
            case .range:
                range = field.value
                ranges += 1
            default:
                break
            }
        }
        isChanged = isWanted == false
        if !isAllowed || ranges > 1 { range = nil }
    }
}
