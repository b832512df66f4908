package import Assets
package import Identity

/// What may change while the workers run.
package struct RenewedSettings: Sendable {
    let identity: IdentityPolicy
    package let assets: AssetCatalogue
    let pages: DataPlaneSettings.Pages

    package init(identity: IdentityPolicy, assets: AssetCatalogue, pages: DataPlaneSettings.Pages) {
        self.identity = identity
        self.assets = assets
        self.pages = pages
    }
}
