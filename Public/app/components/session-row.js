/** One session in the list. Only what changed is touched. */
import { h, setAttribute, setText } from "../dom.js";
import { activityOf, linkOf, repositoryOf, shownState, stopsAt, titleOf } from "../sessions.js";
import { maybe, t } from "../text.js";
import { exact, relative, TimeAgo } from "../time.js";
import { icon } from "./icons.js";
import { toast } from "./toast.js";

/**
 * @typedef {import("../types.js").Session} Session
 * @typedef {import("../types.js").Pending} Pending
 */

export class SessionRow {
    /** @type {Session} */
    session;
    /** @type {Pending | undefined} */
    pending;
    /** @type {import("../sessions.js").Group} */
    group = "stopped";

    #title = h("a", { class: "row-title" });
    #repository = h("span", { class: "row-repository" });
    #branch = h("span", { class: "row-branch-name" });
    #source = h("span", { class: "row-source" });
    #ago = new TimeAgo();
    #kept = h("span", { class: "row-kept" });
    #work = h("span", { class: "row-work" });
    #reason = h("p", { class: "row-reason" });
    #state = h("span", { class: "row-state" });
    #again = h("button", { class: "button button-small row-again", type: "button" });
    /** Shows that the row can be clicked; the row's link is what is clicked. */
    #open = h("span", { class: "button button-small row-open", "aria-hidden": "true" });
    #more = h("button", { class: "icon-button", type: "button", "aria-haspopup": "menu", "aria-expanded": "false" }, icon("more"));
    element;

    /**
     * @param {Session} session
     * @param {Pending | undefined} pending
     */
    constructor(session, pending) {
        this.session = session;
        this.pending = pending;
        this.#again.addEventListener("click", () => {
            void this.#later(async () => (await import("../actions.js")).startSession(this.session));
        });
        this.#more.addEventListener("click", () => {
            void this.#later(async () => (await import("./session-menu.js")).openSessionMenu(this.#more, this.session));
        });
        this.element = h("li", { class: "row", "data-hash": session.hash },
            h("span", { class: "row-dot", "aria-hidden": "true" }),
            h("div", { class: "row-main" },
                this.#title,
                h("p", { class: "row-meta" },
                    this.#repository,
                    h("span", { class: "row-branch" }, icon("branch"), this.#branch, this.#source),
                    this.#work),
                this.#reason),
            h("div", { class: "row-side" }, this.#state, h("span", { class: "row-when" }, this.#ago, this.#kept)),
            h("div", { class: "row-actions" }, this.#open, this.#again, this.#more));
        this.update(session, pending, true);
    }

    /**
     * Shows a new state of the session; the same objects again cost nothing.
     *
     * @param {Session} session
     * @param {Pending | undefined} pending
     * @param {boolean} [first]
     */
    update(session, pending, first = false) {
        if (!first && session === this.session && pending === this.pending) return;
        this.session = session;
        this.pending = pending;
        const state = shownState(session, pending);
        const title = titleOf(session);
        setAttribute(this.element, "data-state", state);
        setText(this.#title, title);
        setAttribute(this.#title, "href", linkOf(session));
        setAttribute(this.#title, "title", session.description || session.repoUrl || null);
        setText(this.#repository, repositoryOf(session) === title ? "" : repositoryOf(session));
        setAttribute(this.#repository, "title", session.repoUrl || null);
        setText(this.#branch, session.branch);
        const source = session.sourceBranch && session.sourceBranch !== session.branch ? session.sourceBranch : "";
        setText(this.#source, source ? t("session.from", { branch: source }) : "");
        setText(this.#state, stateWords(session, state));
        this.#ago.at = activityOf(session);
        setText(this.#work, [
            session.dirty ? t("session.dirty") : "",
            session.unpushed ? t("session.unpushed", { count: session.unpushed }) : "",
        ].filter(Boolean).join(" · "));
        setText(this.#reason, state === "failed" ? session.failure?.message ?? "" : "");
        setText(this.#again, state === "failed" ? t("action.retry") : state === "stopped" ? t("action.start") : "");
        setText(this.#open, t("action.open"));
        this.#open.hidden = state !== "running";
        this.#again.hidden = state !== "failed" && state !== "stopped";
        setAttribute(this.#again, "aria-label",
            t(state === "failed" ? "action.retryNamed" : "action.startNamed", { title }));
        setAttribute(this.#more, "aria-label", t("action.more", { title }));
        this.#more.disabled = state === "deleting";
        this.showStop();
    }

    /** Says anew when it stops; time passes without anything changing. */
    showStop() {
        const running = shownState(this.session, this.pending) === "running";
        const stop = running ? stopsAt(this.session) : null;
        // Recent use is no news: the time of the stop says it.
        const kept = running ? maybe(`kept.${this.session.keptBecause}`, "") : "";
        const now = Date.now();
        const soon = stop !== null && stop - now < 45_000;
        const words = kept || (stop === null ? "" : soon ? t("session.stopsSoon") : t("session.stops", { time: relative(stop, now) }));
        setText(this.#kept, words);
        setAttribute(this.#kept, "title", stop === null ? null : t("session.stopsTitle", { time: exact(stop) }));
    }

    /** Everything one might look for. */
    get searchText() {
        const { session } = this;
        return `${titleOf(session)} ${session.description ?? ""} ${repositoryOf(session)} ${session.branch} ${session.hash}`.toLowerCase();
    }

    /**
     * Does what the first look at the list does not need; its code comes in an idle moment, or now.
     *
     * @param {() => Promise<unknown>} act
     */
    async #later(act) {
        try {
            await act();
        } catch {
            toast({ text: t("error.offline"), kind: "error" });
        }
    }

    focus() {
        this.#title.focus();
    }
}

/**
 * @param {Session} session
 * @param {ReturnType<typeof shownState>} state
 */
function stateWords(session, state) {
    const word = t(`state.${state}`);
    return state === "creating" && session.stage && session.state === "creating" ? `${word} · ${t(`stage.${session.stage}`)}` : word;
}

