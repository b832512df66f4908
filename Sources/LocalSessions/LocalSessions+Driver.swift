import Glibc
import Logging
import Sessions

// Drivers: each session has at most one.
extension LocalSessions {
    /// Starts a driver if none is at work.
    func wake(_ id: SessionID) {
        guard entries[id] != nil, entries[id]?.driver == nil else { return }
        let end = OneShot<DriverEnd>()
        entries[id]?.driver = end
        Task { end.fulfil(await self.drive(id)) }
    }

    /// Brings the session where it is wanted, however often that changes meanwhile.
    private func drive(_ id: SessionID) async -> DriverEnd {
        while let wanted = entries[id]?.wanted {
            switch wanted {
            case .running:
                // Made anew for each run, and before anything is awaited: a request made from here on is for this run.
                let request = OneShot<Void>()
                entries[id]?.stopRequest = request
                let failure = await run(id, until: request)
                guard entries[id]?.wanted == .running, !request.isFulfilled else { continue }
                entries[id]?.gitToken = nil
                // A run that nobody ended and that has ended is a failure; `run` says which.
                let cause = failure ?? GitProgram.cancelled
                logger.warning("session failed", metadata: ["session": "\(id)", "code": "\(cause.code)"])
                // A failed session waits for its owner, who has to ask for it again.
                entries[id]?.wanted = .stopped
                if await settle(id, .failed(cause)) { return .settled }
            case .stopped:
                if await settle(id, .stopped) { return .settled }
            case .deleted:
                let remains = await remove(id)
                forget(id)
                return .removed(remains)
            }
        }
        return .settled
    }

    /// Tells the state that nothing changes by itself any more, and looks through the folder that is at rest now.
    ///
    /// - Returns: whether the driver is done; false if something else was ordered meanwhile.
    private func settle(_ id: SessionID, _ state: SessionState) async -> Bool {
        let request = OneShot<Void>()
        entries[id]?.stopRequest = request
        setState(state, of: id)
        if !isClosed { await inspect(id, until: request) }
        guard entries[id]?.wanted == .stopped, !request.isFulfilled else { return false }
        entries[id]?.driver = nil
        return true
    }

    /// Removes the session's folder: out of the way first, at once and whole, then piece by piece.
    private func remove(_ id: SessionID) async -> TreeRemains {
        let path = folder(id).path
        let trash = "\(settings.stateDirectory)/trash/\(id)-\(RandomHex.make(bytes: 4))"
        guard Folder.exists(path) else { return TreeRemains() }
        let target = rename(path, trash) == 0 ? trash : path
        return await onOwnThread { TreeRemoval.remove(target) }
    }
}
