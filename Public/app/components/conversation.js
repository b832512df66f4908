/** The panel with what was said in a session, and the facts about it. */
import "../later-words.js";
import { h, setText } from "../dom.js";
import { activityOf, linkOf, repositoryOf, stopsAt, titleOf } from "../sessions.js";
import { store } from "../store.js";
import { t } from "../text.js";
import { eachSecond, exact, moment, relative } from "../time.js";
import { showPanel } from "./dialog.js";
import { MessageThread } from "./message-thread.js";

/**
 * Shows the panel until it is closed.
 *
 * @param {import("../types.js").Session} session
 */
export async function show(session) {
    const thread = new MessageThread(session.hash);
    const title = h("p", { class: "panel-title-line" }, titleOf(session));
    const facts = h("p", { class: "panel-facts" });
    const open = h("a", { class: "button button-primary" });
    let began = false;
    thread.onChange = (said, count) => {
        if (said) setText(title, said);
        if (began || count === 0) return;
        began = true;
        thread.focus();
    };

    function update() {
        const now = store.state.sessions.get(session.hash) ?? session;
        setText(facts, factsOf(now));
        const made = moment(now.createdAt);
        facts.title = made === null ? "" : exact(made);
        setText(open, t(now.state === "running" ? "start.openNow" : now.state === "stopped" ? "thread.wake" : "action.details"));
        open.href = linkOf(now);
    }
    update();
    const ends = [store.subscribe(update), eachSecond(update)];
    void thread.follow();
    await showPanel(t("thread.title"), `${repositoryOf(session)} · ${session.branch}`,
        title, thread.element, h("div", { class: "panel-foot" }, facts, open));
    thread.end();
    for (const end of ends) end();
}

/**
 * When it was made, and when it stops or was last used.
 *
 * @param {import("../types.js").Session} session
 */
function factsOf(session) {
    const made = moment(session.createdAt);
    const stop = stopsAt(session);
    const used = activityOf(session);
    return [
        made !== null && t("thread.created", { time: relative(made) }),
        stop !== null && (stop - Date.now() < 45_000 ? t("session.stopsSoon") : t("session.stops", { time: relative(stop) })),
        session.state === "stopped" && used !== null && t("thread.used", { time: relative(used) }),
    ].filter(Boolean).join(" · ");
}
