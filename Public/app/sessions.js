/** What can be said about sessions: names, groups, order, orders under way. */
import { webAddress } from "./dom.js";
import { repositoryName } from "./repository.js";
import { store } from "./store.js";
import { t } from "./text.js";
import { moment } from "./time.js";

/**
 * @typedef {import("./types.js").Session} Session
 * @typedef {import("./types.js").Pending} Pending
 * @typedef {import("./types.js").State} State
 */

/** The groups of the list, in their order; a stopping session stays among the running ones until it is gone. */
export const groups = /** @type {const} */ (["running", "creating", "failed", "stopped"]);
/** @typedef {typeof groups[number]} Group */

/** @type {readonly import("./types.js").Stage[]} */
export const stages = ["initializing", "configuring", "preparing", "starting", "readying"];

/** @param {State} state @returns {Group} */
export function groupOf(state) {
    return state === "stopping" ? "running" : state;
}

/**
 * The state to show: what was ordered shows at once, and yields to what the router says next.
 *
 * @param {Session} session
 * @param {Pending} [pending]
 * @returns {State | "deleting"}
 */
export function shownState(session, pending) {
    if (pending?.kind === "delete") return "deleting";
    if (!pending || session.state !== pending.was) return session.state;
    return pending.kind === "stop" ? "stopping" : "creating";
}

/**
 * What the session is about, in one line; without title and prompt, its repository.
 *
 * @param {Session} session
 */
export function titleOf(session) {
    const title = (session.title || session.description || "").trim();
    return title ? title.split("\n", 1)[0] : repositoryOf(session);
}

/**
 * The repository's short name, or the words for a blank project.
 *
 * @param {Session} session
 */
export function repositoryOf(session) {
    return session.repoUrl ? repositoryName(session.repoUrl) : t("session.blank");
}

/**
 * When it was last used.
 *
 * @param {Session} session
 */
export function activityOf(session) {
    return moment(session.activity?.at) ?? moment(session.lastActivity) ?? moment(session.createdAt);
}

/**
 * Where a click on the session leads: to the session itself, or to the page that starts it.
 *
 * @param {Session} session
 */
export function linkOf(session) {
    return (session.state === "running" && webAddress(session.url)) || `/session/${session.hash}`;
}

/**
 * When it will stop if nobody uses it, or null.
 *
 * @param {Session} session
 */
export function stopsAt(session) {
    if (session.state !== "running") return null;
    const said = moment(session.stopsAt);
    if (said !== null || session.keptBecause) return said;
    const used = activityOf(session);
    return used !== null && session.idleTimeoutMinutes ? used + session.idleTimeoutMinutes * 60_000 : null;
}

/**
 * Whether the session holds work that exists nowhere else, as far as is known.
 *
 * @param {Session} session
 */
export function holdsWork(session) {
    return session.dirty === true || (session.unpushed ?? 0) > 0;
}

/**
 * Takes a full snapshot: sessions that did not change keep their identity, so that views can tell by `===`.
 *
 * @param {Session[]} list
 */
export function applySnapshot(list) {
    const old = store.state.sessions;
    /** @type {Map<string, Session>} */
    const sessions = new Map();
    let changed = list.length !== old.size;
    for (const session of list) {
        const before = old.get(session.hash);
        const same = before !== undefined && JSON.stringify(before) === JSON.stringify(session);
        sessions.set(session.hash, same ? before : session);
        changed ||= !same;
    }
    const pending = settled(sessions);
    store.set({
        ...(changed ? { sessions } : {}),
        ...(pending ? { pending } : {}),
        loaded: true,
        loadError: null,
        seenAt: Date.now(),
    });
}

/**
 * Takes one session's new state.
 *
 * @param {Session} session
 */
export function applySession(session) {
    const sessions = new Map(store.state.sessions);
    sessions.set(session.hash, { ...sessions.get(session.hash), ...session });
    const pending = settled(sessions);
    store.set({ sessions, ...(pending ? { pending } : {}) });
}

/** @param {string} hash */
export function removeSession(hash) {
    if (!store.state.sessions.has(hash)) return;
    const sessions = new Map(store.state.sessions);
    sessions.delete(hash);
    store.set({ sessions });
}

/**
 * Orders that the router has begun to carry out no longer need to be remembered.
 *
 * @param {Map<string, Session>} sessions
 */
function settled(sessions) {
    /** @type {Map<string, Pending> | null} */
    let remaining = null;
    for (const [hash, pending] of store.state.pending) {
        const session = sessions.get(hash);
        if (session && (pending.kind === "delete" || session.state === pending.was)) continue;
        remaining ??= new Map(store.state.pending);
        remaining.delete(hash);
    }
    return remaining;
}
