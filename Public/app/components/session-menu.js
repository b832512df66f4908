/** Everything that can be done with one session. */
import {
    copy, copyAttachCommand, deleteSession, downloadLog, keepAlive, linkToShare, startSession, stopSession,
} from "../actions.js";
import { go } from "../routes.js";
import { holdsWork, linkOf, repositoryOf, stopsAt, titleOf } from "../sessions.js";
import { plural, t } from "../text.js";
import { ask } from "./dialog.js";
import { openMenu } from "./menu.js";

/** @typedef {import("../types.js").Session} Session */

/**
 * @param {HTMLElement} button
 * @param {Session} session
 */
export function openSessionMenu(button, session) {
    const { state } = session;
    const link = linkOf(session);
    /** @type {(import("./menu.js").Item | false)[]} */
    const items = [
        state === "running" && { label: t("action.open"), run: () => location.assign(link) },
        (state === "running" || state === "stopped") && { label: t("action.openTab"), href: link },
        state === "creating" && { label: t("action.details"), run: () => go(`/session/${session.hash}`) },
        state === "failed" && { label: t("action.reason"), run: () => go(`/session/${session.hash}`) },
        state === "stopped" && { label: t("action.start"), run: () => void startSession(session) },
        state === "failed" && { label: t("action.retry"), run: () => void startSession(session) },
        state === "running" && stopsAt(session) !== null && { label: t("action.keep"), run: () => void keepAlive(session) },
        { label: t("action.copyLink"), run: () => void copy(linkToShare(session), t("toast.linkCopied")), apart: true },
        state === "running" && { label: t("action.copyAttach"), run: () => void copyAttachCommand(session) },
        { label: t("action.log"), run: () => void downloadLog(session) },
        (state === "running" || state === "creating")
            && { label: t("action.stop"), run: () => void askToStop(session), apart: true },
        { label: t("action.delete"), run: () => void askToDelete(session), dangerous: true, apart: state === "stopped" || state === "failed" },
    ];
    openMenu(button, t("action.more", { title: titleOf(session) }), items.flatMap((item) => (item ? [item] : [])));
}

/** @param {Session} session */
function subject(session) {
    return `${repositoryOf(session)} · ${session.branch}`;
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
