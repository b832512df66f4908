import HTTPClient
import Testing

@Suite("Many exchanges")
struct StressTests {
    @Test("No answer is missed, however answers and waits interleave")
    func interleaving() async throws {
        let server = ScriptedServer { connection in
            while connection.readHead() != nil {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
                connection.send("ok")
                connection.send("ay")
            }
        }
        let client = try await HTTPClient.standalone()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<500 {
                        var request = ClientRequest(.get, try HTTPURL("http://127.0.0.1:\(server.port)/"))
                        request.timeouts = ClientTimeouts(head: .seconds(5), idle: .seconds(5))
                        #expect(try await client.collect(request).text == "okay")
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
