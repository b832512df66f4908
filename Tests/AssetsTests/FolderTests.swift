import Glibc
import Testing

@testable import Assets

@Suite("What of a folder is served")
struct FolderTests {
    @Test("No dotfiles, no links, no pipes: not even when asked for by name")
    func onlyFiles() throws {
        let secret = try TemporarySite(["secret.txt": Array("secret".utf8)])
        let site = try TemporarySite([
            "index.html": [1], ".env": Array("secret".utf8), ".git/config": Array("secret".utf8),
            "app/.hidden": Array("secret".utf8), "app/shown.txt": [2], "..data/x.txt": Array("secret".utf8),
        ])
        site.link("link.txt", to: "\(secret.path)/secret.txt")
        site.link("inner.txt", to: "index.html")
        site.link("folder", to: secret.path)
        site.link("dangling", to: "/nonexistent")
        mkfifo("\(site.path)/pipe", 0o644)
        let catalogue = try site.catalogue()
        #expect(catalogue.count == 2)
        for target in [
            "/.env", "/.git/config", "/app/.hidden", "/..data/x.txt", "/link.txt", "/inner.txt", "/folder/secret.txt",
            "/folder", "/dangling", "/pipe", "/%2eenv",
        ] {
            #expect(try catalogue.ask(target).status == 404, "\(target)")
        }
        #expect(try catalogue.ask("/app/shown.txt").status == 200)
    }

    @Test(
        "No spelling of a path leads out of the folder",
        arguments: [
            "/../secret.txt", "/app/../../secret.txt", "/..%2fsecret.txt", "/..%2Fsecret.txt", "/%2e%2e/secret.txt",
            "/%2e%2e%2fsecret.txt", "/%252e%252e%252fsecret.txt", "/..%5csecret.txt", "/..\\secret.txt",
            "/%c0%ae%c0%ae/secret.txt", "/%c0%ae%c0%ae%c0%afsecret.txt", "/%e0%80%ae%e0%80%ae/secret.txt",
            "/..%c0%afsecret.txt", "/..%00/secret.txt", "/index.html%00.txt", "/....//secret.txt", "//etc/passwd",
            "/etc/passwd", "/app/..", "/app/.", "/./index.html", "/app//shown.txt", "/app/./shown.txt",
            "/app/../index.html", "/%2fetc%2fpasswd", "/..;/secret.txt", "/app/%2e%2e/index.html", "/%u002e%u002e/x",
            "/.%2e/secret.txt", "/%2e./secret.txt", "/../../../../../../etc/passwd", "/index.html/..",
            "/index.html%20", "/index.html.", "/index.html::$DATA", "/INDEX.HTML", "/%69ndex.html%2f", "/~root/x",
            "/file:///etc/passwd", "/\u{ff0e}\u{ff0e}/secret.txt", "*",
        ])
    func traversal(target: String) throws {
        let outer = try TemporarySite([
            "secret.txt": Array("secret".utf8), "site/index.html": Array("index".utf8), "site/app/shown.txt": [2],
        ])
        let catalogue = try AssetCatalogue(
            folder: outer.path + "/site", mimeTypes: try repositoryTypes(),
            digest: { $0 + [UInt8](repeating: 0, count: 16) })
        guard let answer = try? catalogue.ask(target) else { return }
        #expect(answer.status == 404)
        #expect(!String(decoding: answer.body, as: UTF8.self).contains("secret"))
    }

    @Test("Long paths and every single byte are answered")
    func oddPaths() throws {
        let site = try TemporarySite(["index.html": [1]])
        let catalogue = try site.catalogue()
        #expect(try catalogue.ask("/" + String(repeating: "a", count: 600)).status == 404)
        #expect(try catalogue.ask("/" + String(repeating: "%61", count: 600)).status == 404)
        for byte in UInt8.min...UInt8.max {
            let path: [UInt8] = [0x2f, byte]
            withUnsafeTemporaryAllocation(byteCount: RequestPath.limit, alignment: 1) { room in
                path.withUnsafeBytes { _ = RequestPath.decode($0, into: room) }
            }
        }
    }

    @Test("A folder that is none, or has no page, is refused with its path")
    func refused() throws {
        let types = try repositoryTypes()
        let empty = try TemporarySite(["a.txt": [1]])
        #expect(throws: AssetError.missingIndex(folder: empty.path)) {
            try AssetCatalogue(folder: empty.path, mimeTypes: types, digest: { $0 })
        }
        #expect(throws: AssetError.unreadable(path: empty.path + "/none", reason: "No such file or directory")) {
            try AssetCatalogue(folder: empty.path + "/none", mimeTypes: types, digest: { $0 })
        }
        #expect(throws: AssetError.unreadable(path: empty.path + "/a.txt", reason: "Not a directory")) {
            try AssetCatalogue(folder: empty.path + "/a.txt", mimeTypes: types, digest: { $0 })
        }
    }

    @Test("A site is bounded in bytes, files and depth")
    func bounds() throws {
        let site = try TemporarySite(["a.txt": [1, 2, 3], "b.txt": [4, 5], "c/d/e.txt": [6]])
        #expect(try FolderReader.files(in: site.path).map(\.path) == ["/a.txt", "/b.txt", "/c/d/e.txt"])
        #expect(try FolderReader.files(in: site.path, limits: .init(bytes: 6)).count == 3)
        #expect(throws: AssetError.self) { try FolderReader.files(in: site.path, limits: .init(bytes: 5)) }
        #expect(throws: AssetError.tooManyFiles(folder: site.path, limit: 2)) {
            try FolderReader.files(in: site.path, limits: .init(files: 2))
        }
        #expect(throws: AssetError.tooDeep(path: site.path + "/c/d")) {
            try FolderReader.files(in: site.path, limits: .init(depth: 1))
        }
    }

    @Test("The folder itself may be a link")
    func linkedFolder() throws {
        let site = try TemporarySite(["real/index.html": [1]])
        site.link("current", to: "real")
        #expect(try FolderReader.files(in: site.path + "/current").count == 1)
    }
}

@Suite("The table of types")
struct MIMETypesTests {
    @Test("Reads types, comments and the compressed part")
    func reads() throws {
        let types = try MIMETypes("# c\ntext/x;charset=utf-8 a B # c\n\n[compressed]\nimage/y c\n")
        #expect(types.entry(forFile: "/f.a").type == "text/x;charset=utf-8")
        #expect(types.entry(forFile: "/F.b") == types.entry(forFile: "/f.A"))
        #expect(types.entry(forFile: "x.c").isCompressed)
        #expect(types.entry(forFile: "x.d") == MIMETypes.unknown)
        #expect(types.entry(forFile: "a") == MIMETypes.unknown)
    }

    @Test(
        "A line that is no entry names its place",
        arguments: [("text/x", 1), ("\nnonsense a", 2), ("a/b x\na/c x", 2), ("text/\u{e4} x", 1)])
    func malformed(text: String, line: Int) {
        #expect(throws: AssetError.malformedMIMETable(line: line)) { try MIMETypes(text) }
    }
}

@Suite("The site that ships")
struct ShippedSiteTests {
    @Test("Every file of Public has a type and the same bytes in every coding")
    func shipped() throws {
        let folder = repository() + "/Public"
        guard access(folder + "/index.html", R_OK) == 0 else { return }
        let files = try FolderReader.files(in: folder)
        let catalogue = try AssetCatalogue(
            folder: folder, mimeTypes: try repositoryTypes(), digest: { $0 + [UInt8](repeating: 0, count: 16) })
        for file in files where file.path != "/404.html" {
            let plain = try catalogue.ask(file.path)
            #expect(plain.body == file.bytes)
            #expect(plain.fields["content-type"] != MIMETypes.unknown.type, "\(file.path)")
            let zipped = try catalogue.ask(file.path, ["Accept-Encoding: gzip"])
            if zipped.fields["content-encoding"] == "gzip" {
                #expect(gunzip(zipped.body, room: file.bytes.count) == file.bytes)
            }
            let small = try catalogue.ask(file.path, ["Accept-Encoding: br"])
            if small.fields["content-encoding"] == "br" {
                #expect(unbrotli(small.body, room: file.bytes.count) == file.bytes)
            }
        }
    }
}
