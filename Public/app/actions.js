/** What a person can order. Shown at once, taken back when it fails, never lost silently. */
import "./later-words.js";
import { announce } from "./announce.js";
import { ApiError, call, callText, sentence } from "./api.js";
import { toast } from "./components/toast.js";
import { idleMinutes } from "./preferences.js";
import { applySession, removeSession, titleOf } from "./sessions.js";
import { store } from "./store.js";
import { t } from "./text.js";

/**
 * @typedef {import("./types.js").Session} Session
 * @typedef {import("./types.js").PendingKind} PendingKind
 */

/** @param {string} hash @param {import("./types.js").Pending | null} order */
function setPending(hash, order) {
    const pending = new Map(store.state.pending);
    if (order) pending.set(hash, order);
    else pending.delete(hash);
    store.set({ pending });
}

/**
 * Carries out one order on one session; a second one while the first runs is not sent.
 *
 * @param {Session} session
 * @param {PendingKind} kind
 * @param {() => Promise<void>} send
 * @param {import("./text.js").Key} failed The words when it fails, with the session's title.
 * @returns {Promise<boolean>} Whether it was done.
 */
async function order(session, kind, send, failed) {
    if (store.state.pending.has(session.hash)) return false;
    setPending(session.hash, { kind, was: session.state });
    try {
        await send();
        return true;
    } catch (error) {
        setPending(session.hash, null);
        toast({
            text: `${t(failed, { title: titleOf(session) })} ${sentence(error)}`,
            kind: "error",
            action: error instanceof ApiError && error.kind === "expired"
                ? undefined
                : { label: t("action.tryAgain"), run: () => void order(session, kind, send, failed) },
        });
        return false;
    }
}

/**
 * Lets an order that the list never confirms expire, so that the row tells the truth again.
 *
 * @param {string} hash
 */
function forgetLater(hash) {
    const mine = store.state.pending.get(hash);
    window.setTimeout(() => {
        if (mine && store.state.pending.get(hash) === mine) setPending(hash, null);
    }, 8000);
}

/**
 * Ends the agent; the folder stays.
 *
 * @param {Session} session
 */
export function stopSession(session) {
    return order(session, "stop", async () => {
        await call(`/api/sessions/${session.hash}/stop`, { method: "POST" });
        forgetLater(session.hash);
        announce(t("announce.stopping", { title: titleOf(session) }));
    }, "error.stop");
}

/**
 * Starts a stopped or failed session again.
 *
 * @param {Session} session
 */
export function startSession(session) {
    return order(session, "start", async () => {
        await call(`/api/sessions/${session.hash}/resume`, { method: "POST" });
        forgetLater(session.hash);
        announce(t("announce.starting", { title: titleOf(session) }));
    }, "error.start");
}

/**
 * Ends the agent and removes the folder.
 *
 * @param {Session} session
 */
export function deleteSession(session) {
    return order(session, "delete", async () => {
        try {
            await call(`/api/sessions/${session.hash}`, { method: "DELETE", timeout: 120_000 });
        } catch (error) {
            // Gone already is what was wanted.
            if (!(error instanceof ApiError && error.status === 404)) throw error;
        }
        removeSession(session.hash);
        setPending(session.hash, null);
        toast({ text: t("toast.deleted", { title: titleOf(session) }) });
    }, "error.delete");
}

/**
 * Makes a session and answers with its hash; throws an ApiError for the form to show.
 *
 * @param {{repoUrl?: string, branch: string, sourceBranch?: string, initialMessage?: string}} wish
 * @returns {Promise<string>}
 */
export async function createSession(wish) {
    const answer = await call("/api/sessions", { method: "POST", body: wish, timeout: 60_000 });
    const minutes = idleMinutes();
    // A wish beside the order: the session starts with or without it.
    if (minutes) call(`/api/sessions/${answer.hash}/idle-timeout`, { method: "PUT", body: { minutes } }).catch(() => {});
    if (!store.state.sessions.has(answer.hash)) {
        applySession({
            hash: answer.hash,
            email: store.state.me?.email ?? "",
            repoUrl: wish.repoUrl ?? null,
            branch: wish.branch,
            sourceBranch: wish.sourceBranch ?? null,
            description: wish.initialMessage ?? null,
            state: answer.state ?? "creating",
            createdAt: new Date().toISOString(),
        });
    }
    return answer.hash;
}

/**
 * The link that opens the session for its owner, started first if need be.
 *
 * @param {Session} session
 */
export function linkToShare(session) {
    return new URL(`/session/${session.hash}`, location.href).href;
}

/** @param {string} text @param {string} said */
export async function copy(text, said) {
    try {
        await navigator.clipboard.writeText(text);
        toast({ text: said });
    } catch {
        toast({ text: t("error.copy", { text }), kind: "error" });
    }
}

/**
 * Copies the command that joins the session from a terminal.
 *
 * @param {Session} session
 */
export async function copyAttachCommand(session) {
    try {
        const info = await call(`/api/sessions/${session.hash}/attach-info`);
        // With its conversation the terminal shows what is going on, not an empty page.
        const conversation = session.sessionId ? ` -s ${shellWord(session.sessionId)}` : "";
        await copy(`opencode attach ${shellWord(info.attachUrl)} --password ${shellWord(info.attachPassword)}${conversation}`,
            t("toast.attachCopied"));
    } catch (error) {
        const missing = error instanceof ApiError && error.kind === "missing";
        toast({ text: missing ? t("error.attachMissing") : sentence(error), kind: "error" });
    }
}

/**
 * A word that no shell takes apart.
 *
 * @param {string} word
 */
function shellWord(word) {
    return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Saves both logs as one file.
 *
 * @param {Session} session
 */
export async function downloadLog(session) {
    const parts = await Promise.allSettled(["init", "agent"].map(async (container) => {
        const text = await callText(`/api/sessions/${session.hash}/log?container=${container}`);
        return `==== ${container} ====\n${text}\n`;
    }));
    const texts = parts.flatMap((part) => (part.status === "fulfilled" ? [part.value] : []));
    if (texts.length === 0) {
        const reason = parts[0].status === "rejected" ? sentence(parts[0].reason) : "";
        toast({ text: `${t("error.log")} ${reason}`, kind: "error" });
        return;
    }
    const address = URL.createObjectURL(new Blob(texts, { type: "text/plain" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = `session-${session.hash}.log`;
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/**
 * Tells the idle policy that somebody still wants it.
 *
 * @param {Session} session
 */
export async function keepAlive(session) {
    try {
        await call(`/api/sessions/${session.hash}/keep-alive`, { method: "POST" });
        toast({ text: t("toast.kept", { title: titleOf(session) }) });
    } catch (error) {
        toast({ text: sentence(error), kind: "error" });
    }
}

/**
 * Changes after how long without use this session stops.
 *
 * @param {Session} session
 * @param {number} minutes
 */
export async function setIdleTime(session, minutes) {
    try {
        await call(`/api/sessions/${session.hash}/idle-timeout`, { method: "PUT", body: { minutes } });
        toast({ text: t("toast.idle", { title: titleOf(session), minutes }) });
    } catch (error) {
        toast({ text: sentence(error), kind: "error" });
    }
}
