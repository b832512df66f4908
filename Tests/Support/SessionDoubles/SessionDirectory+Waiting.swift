package import Sessions

extension SessionDirectory {
    /// Waits for a state; a test that never sees it ends with the test's time limit.
    package func until(_ isReached: (DirectorySnapshot) -> Bool) async throws {
        for await snapshot in updates() where isReached(snapshot) { return }
        throw CancellationError()
    }
}
