/** Keeps the list of sessions true: a stream while it lasts, a fresh snapshot after every gap. */
import { ApiError, call } from "./api.js";
import { applySnapshot } from "./sessions.js";
import { store } from "./store.js";
import { readEvents } from "./stream.js";

/** Snapshots that follow each other faster than this are folded into the newest; long lists take longer to draw. */
const pace = () => Math.min(1000, Math.max(250, 2 * store.state.sessions.size));
/** A hidden tab gives its connection back after this time; browsers allow only six to a host. */
const hiddenLimit = 60_000;
const firstDelay = 500;
const longestDelay = 15_000;
const pollDelay = 4_000;

/** @type {AbortController | null} */
let connection = null;
/** @type {(() => void) | null} */
let wake = null;

/** Starts once and goes on for as long as the page lives. */
export function goLive() {
    document.addEventListener("visibilitychange", onVisibility);
    window.addEventListener("online", reconnectNow);
    window.addEventListener("pageshow", (event) => {
        // A page that comes back from the browser's cache shows the past until it has heard the present.
        if (event.persisted) reconnectNow();
    });
    void run();
}

/** Does not wait for the back-off to pass. */
export function reconnectNow() {
    wake?.();
}

async function run() {
    let delay = firstDelay;
    let streams = true;
    for (;;) {
        let opened = false;
        connection = new AbortController();
        try {
            if (streams) {
                await readEvents("/api/sessions/stream", {
                    signal: connection.signal,
                    onOpen: () => {
                        opened = true;
                    },
                    onEvent: take,
                });
            } else {
                applyAnswer(await call("/api/sessions", { signal: connection.signal }));
                online();
            }
            delay = opened || !streams ? firstDelay : delay;
        } catch (error) {
            if (error instanceof ApiError && error.kind === "missing" && streams) {
                streams = false;
                continue;
            }
            if (error instanceof ApiError && error.kind === "refused") store.set({ loadError: error.message });
        }
        connection = null;
        if (document.hidden) await visible();
        else if (!streams && store.state.connection === "live") await pause(pollDelay);
        else {
            // Half of the delay is chance, so that a restarted router does not meet everybody at once.
            const wait = delay / 2 + Math.random() * delay / 2;
            delay = Math.min(delay * 2, longestDelay);
            if (store.state.connection !== "expired") store.set({ connection: "waiting", retryAt: Date.now() + wait });
            await pause(store.state.connection === "expired" ? longestDelay : wait);
        }
        if (store.state.connection === "waiting") store.set({ connection: "connecting", retryAt: null });
    }
}

/** @type {string | null} */
let newest = null;
let lastTaken = 0;
/** @type {number | undefined} */
let later;

/**
 * @param {string} name
 * @param {string} data
 */
function take(name, data) {
    if (name !== "sessions") return;
    newest = data;
    if (later !== undefined) return;
    later = window.setTimeout(takeNewest, Math.max(0, lastTaken + pace() - performance.now()));
}

function takeNewest() {
    later = undefined;
    lastTaken = performance.now();
    const data = newest;
    newest = null;
    if (data === null) return;
    try {
        applyAnswer(JSON.parse(data));
        online();
    } catch {
        // A broken snapshot is made good by the next one.
    }
}

/** @param {import("./types.js").SessionsAnswer} answer */
function applyAnswer(answer) {
    applySnapshot(answer.sessions);
    if ((answer.stale ?? false) !== store.state.stale) store.set({ stale: answer.stale ?? false });
}

function online() {
    if (store.state.connection !== "live") store.set({ connection: "live", retryAt: null });
}

/** @param {number} milliseconds @returns {Promise<void>} */
function pause(milliseconds) {
    return new Promise((resolve) => {
        const timer = window.setTimeout(done, milliseconds);
        function done() {
            window.clearTimeout(timer);
            wake = null;
            resolve();
        }
        wake = done;
    });
}

/** @type {number | undefined} */
let hiddenTimer;

function onVisibility() {
    window.clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = window.setTimeout(() => connection?.abort(), hiddenLimit);
    else reconnectNow();
}

/** @returns {Promise<void>} */
function visible() {
    return new Promise((resolve) => {
        wake = () => {
            if (document.hidden) return;
            wake = null;
            resolve();
        };
    });
}
