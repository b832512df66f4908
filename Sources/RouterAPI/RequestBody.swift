import FoundationEssentials
import HTTPTypes

extension APIRequest {
    /// The body as JSON of that shape; unknown members are ignored, known ones must have their type.
    func decodeBody<Value: Decodable>(as type: Value.Type) throws(APIError) -> Value {
        let mediaType = headers[.contentType]?.split(separator: ";").first
        guard mediaType?.trimmingSpaces.lowercased() == "application/json" else {
            throw APIError(.unsupportedMediaType, "json_required", "Send the body as Content-Type: application/json.")
        }
        return try decodeJSON(as: type)
    }

    /// The same, whatever the body is called: a pod is no browser that could be made to send one.
    func decodeJSON<Value: Decodable>(as type: Value.Type) throws(APIError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch let error as DecodingError {
            throw APIError(error)
        } catch {
            throw .badRequest("invalid_json", "The body is not JSON.")
        }
    }
}

extension APIError {
    /// Which member is wrong, and what is accepted.
    fileprivate init(_ error: DecodingError) {
        switch error {
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            let path = Self.name(context.codingPath)
            if path.isEmpty {
                self = .badRequest("invalid_json", "The body must be a JSON object.")
            } else {
                self = .badRequest("invalid_field", "\"\(path)\" must be \(Self.name(of: type)).")
            }
        case .keyNotFound(let key, let context):
            let path = Self.name(context.codingPath + [key])
            self = .badRequest("missing_field", "\"\(path)\" is required.")
        default:
            self = .badRequest("invalid_json", "Invalid JSON: the body cannot be read as JSON.")
        }
    }

    private static func name(_ path: [any CodingKey]) -> String { path.map(\.stringValue).joined(separator: ".") }

    private static func name(of type: Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is Double.Type: "a whole number"
        case is [Double].Type: "a list of whole numbers"
        case is [String: String].Type: "an object whose values are strings"
        default: "an object"
        }
    }
}

extension Substring {
    var trimmingSpaces: Substring {
        var rest = self
        while rest.first == " " || rest.first == "\t" { rest = rest.dropFirst() }
        while rest.last == " " || rest.last == "\t" { rest = rest.dropLast() }
        return rest
    }
}
