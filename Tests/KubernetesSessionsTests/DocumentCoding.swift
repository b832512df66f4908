import FoundationEssentials
import KubernetesAPI

enum DocumentCoding {
    /// The object that a document stands for, by way of its text.
    static func decode<Object: KubernetesObject>(_ document: JSONValue) -> Object {
        do {
            return try JSONDecoder().decode(Object.self, from: JSONEncoder().encode(document))
        } catch {
            fatalError("no object: \(error)")
        }
    }
}
