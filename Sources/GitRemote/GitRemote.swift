/// Asks git servers which branches a repository has, by smart HTTP.
package struct GitRemote {
    /// How we introduce ourselves inside the protocol.
    static let agent = "opencode-router/1"
}
