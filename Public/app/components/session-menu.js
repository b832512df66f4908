/** Everything that can be done with one session. */
import "../later-words.js";
import {
    copy, copyAttachCommand, deleteSession, downloadLog, keepAlive, linkToShare, setIdleTime, startSession, stopSession,
} from "../actions.js";
import { fetched, sentence } from "../api.js";
import { go } from "../routes.js";
import { holdsWork, linkOf, repositoryOf, stopsAt, titleOf } from "../sessions.js";
import { plural, t } from "../text.js";
import { h, webAddress, withStyles } from "../dom.js";
import { store } from "../store.js";
import { ask, askFor } from "./dialog.js";
import { openMenu } from "./menu.js";
import { toast } from "./toast.js";

/** @typedef {import("../types.js").Session} Session */

/**
 * @param {HTMLElement} button
 * @param {Session} session
 */
export function openSessionMenu(button, session) {
    const { state } = session;
    const link = linkOf(session);
    const editor = state === "running" ? webAddress(session.editorUrl) : null;
    /** @type {(import("./menu.js").Item | false)[]} */
    const items = [
        state === "running" && { label: t("action.open"), run: () => location.assign(link) },
        (state === "running" || state === "stopped") && { label: t("action.openTab"), href: link },
        editor !== null && { label: t("action.editor"), href: editor },
        { label: t("thread.action"), run: () => void show(session, import("./conversation.js")), apart: true },
        (state === "running" || state === "stopped")
            && { label: t("ports.action"), run: () => void show(session, import("./previews.js")) },
        state === "creating" && { label: t("action.details"), run: () => go(`/session/${session.hash}`) },
        state === "failed" && { label: t("action.reason"), run: () => go(`/session/${session.hash}`) },
        state === "stopped" && { label: t("action.start"), run: () => void startSession(session) },
        state === "failed" && { label: t("action.retry"), run: () => void startSession(session) },
        state === "running" && stopsAt(session) !== null && { label: t("action.keep"), run: () => void keepAlive(session) },
        session.idleTimeoutMinutes !== undefined && (store.state.me?.limits?.maximumIdleTimeoutMinutes ?? 0) > 0
            && { label: t("idle.action"), run: () => void askForIdleTime(session) },
        { label: t("action.copyLink"), run: () => void copy(linkToShare(session), t("toast.linkCopied")), apart: true },
        state === "running" && { label: t("action.copyAttach"), run: () => void copyAttachCommand(session) },
        { label: t("action.log"), run: () => void downloadLog(session) },
        (state === "running" || state === "creating")
            && { label: t("action.stop"), run: () => void askToStop(session), apart: true },
        {
            label: t("action.delete"), run: () => void askToDelete(session), dangerous: true,
            apart: state === "stopped" || state === "failed",
        },
    ];
    openMenu(button, t("action.more", { title: titleOf(session) }), items.flatMap((item) => (item ? [item] : [])));
}

/** @param {Session} session */
function subject(session) {
    return `${repositoryOf(session)} · ${session.branch}`;
}

/**
 * A panel whose code comes when it is asked for.
 *
 * @param {Session} session
 * @param {Promise<{show: (session: Session) => Promise<void>}>} panel
 */
async function show(session, panel) {
    try {
        await (await fetched(withStyles(panel, "panels"))).show(session);
    } catch (error) {
        toast({ text: sentence(error), kind: "error" });
    }
}

/**
 * Asks, then stops.
 *
 * @param {Session} session
 * @returns {Promise<boolean>}
 */
export async function askToStop(session) {
    const yes = await ask({
        title: t("stop.title"), subject: subject(session), text: [t("stop.text")], confirm: t("stop.confirm"),
    });
    return yes && stopSession(session);
}

/**
 * Asks, naming what is lost, then deletes.
 *
 * @param {Session} session
 * @returns {Promise<boolean>}
 */
export async function askToDelete(session) {
    const yes = await ask({
        title: t("delete.title"),
        subject: subject(session),
        text: [
            t("delete.text"),
            session.dirty === true && t("delete.dirty"),
            Boolean(session.unpushed) && plural("delete.unpushed", session.unpushed ?? 0),
        ],
        confirm: t("delete.confirm"),
        dangerous: true,
        mustType: holdsWork(session) ? session.branch : null,
    });
    return yes && deleteSession(session);
}

/**
 * Asks how long this session may be idle.
 *
 * @param {Session} session
 */
async function askForIdleTime(session) {
    const max = store.state.me?.limits?.maximumIdleTimeoutMinutes ?? 1;
    const input = h("input", {
        class: "input", type: "number", min: 1, max, step: 1, required: true, value: session.idleTimeoutMinutes || null,
    });
    const minutes = await askFor({
        title: t("idle.title"), subject: subject(session), text: [t("idle.text", { max })], label: t("idle.label"), input,
        confirm: t("idle.confirm"),
    });
    if (minutes !== null) await setIdleTime(session, Number(minutes));
}
