import FoundationEssentials
import Testing

@testable import KubernetesAPI

@Suite("KUBECONFIG, whatever is in it")
struct YAMLPropertyTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fuzz/corpus/yaml")

    @Test(
        "Each text of the corpus, cut off anywhere and with a changed byte, is read or refused with a reason",
        arguments: ["kubeconfig", "scalars", "flow", "refused", "odd"])
    func damaged(name: String) throws {
        let whole = Array(try Data(contentsOf: Self.corpus.appending(path: name)))
        var texts = (0...whole.count).map { Array(whole[..<$0]) }
        for index in whole.indices {
            for byte in [0, 0x22, 0x26, 0xff] as [UInt8] {
                texts.append(whole)
                texts[texts.count - 1][index] = byte
            }
        }
        for text in texts {
            try onGuardPages(text) { try checkYAML($0) }
            do throws(AccessProblem) {
                _ = try ClusterAccess.kubeconfig(text: String(decoding: text, as: UTF8.self), folder: "/")
            } catch {
                #expect(!error.sentence.isEmpty)
            }
        }
    }
}
