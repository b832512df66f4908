/// An object as far as it is read here; what is not declared is neither kept nor sent back.
package protocol KubernetesObject: Decodable, Sendable {
    static var resource: Resource { get }
    var metadata: ObjectMeta { get }
}

package struct ObjectMeta: Codable, Hashable, Sendable {
    package var name: String?
    package var uid: String?
    package var resourceVersion: String?
    /// RFC 3339.
    package var creationTimestamp: String?
    /// Set while the object is being deleted.
    package var deletionTimestamp: String?
    package var labels: [String: String]?
    package var annotations: [String: String]?

    package init(
        name: String? = nil, uid: String? = nil, resourceVersion: String? = nil, creationTimestamp: String? = nil,
        deletionTimestamp: String? = nil, labels: [String: String]? = nil, annotations: [String: String]? = nil
    ) {
        self.name = name
        self.uid = uid
        self.resourceVersion = resourceVersion
        self.creationTimestamp = creationTimestamp
        self.deletionTimestamp = deletionTimestamp
        self.labels = labels
        self.annotations = annotations
    }
}

package struct Pod: KubernetesObject, Hashable {
    package static let resource = Resource.pods

    package struct Spec: Codable, Hashable, Sendable {
        package struct Container: Codable, Hashable, Sendable {
            package struct Variable: Codable, Hashable, Sendable {
                package var name: String
                package var value: String?
            }
            package struct Port: Codable, Hashable, Sendable {
                package var containerPort: Int?
            }
            package var name: String
            package var image: String?
            package var env: [Variable]?
            package var ports: [Port]?
        }
        package var containers: [Container]?
        package var nodeName: String?
    }
    package struct Condition: Codable, Hashable, Sendable {
        package var type: String
        package var status: String
        package var reason: String?
        package var message: String?
    }
    package struct ContainerStatus: Codable, Hashable, Sendable {
        package struct State: Codable, Hashable, Sendable {
            package struct Waiting: Codable, Hashable, Sendable {
                package var reason: String?
                package var message: String?
            }
            package struct Running: Codable, Hashable, Sendable {
                package var startedAt: String?
            }
            package struct Terminated: Codable, Hashable, Sendable {
                package var exitCode: Int
                package var signal: Int?
                package var reason: String?
                package var message: String?
                package var finishedAt: String?
            }
            package var waiting: Waiting?
            package var running: Running?
            package var terminated: Terminated?
        }
        package var name: String
        package var ready: Bool?
        package var restartCount: Int?
        package var image: String?
        package var state: State?
        package var lastState: State?
    }
    package struct Status: Codable, Hashable, Sendable {
        package var phase: String?
        package var reason: String?
        package var message: String?
        package var podIP: String?
        package var startTime: String?
        package var conditions: [Condition]?
        package var initContainerStatuses: [ContainerStatus]?
        package var containerStatuses: [ContainerStatus]?
    }

    package var metadata: ObjectMeta
    package var spec: Spec?
    package var status: Status?
}

package struct PersistentVolumeClaim: KubernetesObject, Hashable {
    package static let resource = Resource.claims

    package struct Status: Codable, Hashable, Sendable {
        package var phase: String?
    }

    package var metadata: ObjectMeta
    package var status: Status?
}

/// A secret without its values, except when they are asked for.
package struct Secret: KubernetesObject, Hashable {
    package static let resource = Resource.secrets

    package var metadata: ObjectMeta
    /// Base64 by name.
    package var data: [String: String]?
}

/// What the cluster's parts say about an object (core/v1).
package struct ClusterEvent: KubernetesObject, Hashable {
    package static let resource = Resource.events

    package struct Reference: Codable, Hashable, Sendable {
        package var kind: String?
        package var name: String?
        package var uid: String?
    }
    package struct Series: Codable, Hashable, Sendable { package var count: Int? }

    package var metadata: ObjectMeta
    package var involvedObject: Reference
    package var reason: String?
    package var message: String?
    package var type: String?
    package var count: Int?
    package var series: Series?
}

package struct Lease: KubernetesObject, Hashable, Codable {
    package static let resource = Resource.leases

    package struct Spec: Codable, Hashable, Sendable {
        package var holderIdentity: String?
        package var leaseDurationSeconds: Int?
        /// RFC 3339 with microseconds.
        package var acquireTime: String?
        package var renewTime: String?
        package var leaseTransitions: Int?
    }

    package var metadata: ObjectMeta
    package var spec: Spec?
}

/// What the server says of a request that failed, and in an ERROR event of a watch.
struct StatusDocument: Decodable, Hashable, Sendable {
    struct Details: Decodable, Hashable, Sendable { var retryAfterSeconds: Int? }
    var kind: String?
    var code: Int?
    var reason: String?
    var message: String?
    var details: Details?
}

/// A page of a list.
package struct ObjectList<Object: KubernetesObject>: Decodable, Sendable {
    package struct Meta: Decodable, Sendable {
        package var resourceVersion: String?
        package var `continue`: String?
    }
    package var metadata: Meta
    package var items: [Object]

    private enum Names: CodingKey { case metadata, items }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Names.self)
        metadata = try container.decode(Meta.self, forKey: .metadata)
        // An empty list of some servers is null.
        items = try container.decodeIfPresent([Object].self, forKey: .items) ?? []
    }
}
