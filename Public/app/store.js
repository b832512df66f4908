/**
 * The one place that knows what the page knows. Views read `state`, subscribe, and never keep a copy.
 *
 * @typedef {import("./types.js").Session} Session
 * @typedef {import("./types.js").Pending} Pending
 *
 * @typedef {object} StoreState
 * @property {import("./types.js").Me | null} me
 * @property {Map<string, Session>} sessions By hash, as the router last said.
 * @property {boolean} loaded Whether the router has said anything yet.
 * @property {boolean} stale The router itself cannot see its sessions right now.
 * @property {Map<string, Pending>} pending Orders under way.
 * @property {import("./types.js").Connection} connection
 * @property {number | null} retryAt When the next attempt to connect is, while waiting.
 * @property {number | null} seenAt When the list was last known to be current.
 * @property {string | null} loadError
 */

/** @type {StoreState} */
const initial = {
    me: null,
    sessions: new Map(),
    loaded: false,
    stale: false,
    pending: new Map(),
    connection: "connecting",
    retryAt: null,
    seenAt: null,
    loadError: null,
};

class Store {
    /** @type {StoreState} */
    state = initial;
    /** @type {Set<() => void>} */
    #listeners = new Set();
    #scheduled = false;

    /**
     * Changes some of the state; listeners hear about it once, after everything that changes in this turn.
     *
     * @param {Partial<StoreState>} changes
     */
    set(changes) {
        this.state = { ...this.state, ...changes };
        if (this.#scheduled) return;
        this.#scheduled = true;
        queueMicrotask(() => {
            this.#scheduled = false;
            for (const listener of [...this.#listeners]) listener();
        });
    }

    /**
     * @param {() => void} listener
     * @returns {() => void} Ends the subscription.
     */
    subscribe(listener) {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }
}

export const store = new Store();
