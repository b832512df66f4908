/** `/session/<hash>`: brings the person into the session, starting it first if need be, and says what happens. */
import "../later-words.js";
import { announce } from "../announce.js";
import { ApiError, call, sentence } from "../api.js";
import { icon } from "../components/icons.js";
import { LogView } from "../components/log-view.js";
import { MessageThread } from "../components/message-thread.js";
import { askToStop } from "../components/session-menu.js";
import { StageList } from "../components/stage-list.js";
import { h, fill, setText, webAddress } from "../dom.js";
import { repositoryName } from "../repository.js";
import { applySession, repositoryOf, stages } from "../sessions.js";
import { store } from "../store.js";
import { readEvents } from "../stream.js";
import { t } from "../text.js";
import { duration, eachSecond, moment } from "../time.js";

/**
 * @typedef {import("../types.js").Session} Session
 * @typedef {import("../types.js").Stage} Stage
 * @typedef {import("../types.js").Failure} Failure
 */

/**
 * @param {HTMLElement} outlet
 * @param {Extract<import("../routes.js").Route, {name: "session"}>} route
 * @returns {() => void} Takes the screen away.
 */
export function starting(outlet, route) {
    const screen = new StartingScreen(route.hash, route.parameters.get("path"));
    outlet.append(screen.element);
    void screen.run();
    return () => screen.end();
}

class StartingScreen {
    #hash;
    /** The path within the session that was asked for. */
    #path;
    #life = new AbortController();
    /** @type {Session | null} */
    #session = null;
    #began = Date.now();
    #working = false;
    /** Whether this start was seen under way: before that, "stopped" is only where it begins. */
    #underWay = false;
    /** Until when a start that was ordered may take to begin. */
    #patience = 0;
    #stages = new StageList();
    #log;
    /** What was said before: something to read while it wakes. */
    #thread;
    #conversation = h("details", { class: "log conversation", open: true }, h("summary", {}, t("thread.title")));
    #title = h("h1", { class: "start-title", tabindex: "-1" }, t("start.title"));
    #subject = h("p", { class: "start-subject" });
    #elapsed = h("p", { class: "start-elapsed" });
    #message = h("p", { class: "start-message" });
    #problem = h("div", { class: "start-problem", hidden: true });
    #buttons = h("div", { class: "start-buttons" });
    #foot = h("p", { class: "start-foot" }, t("start.leave"));
    /** @type {(() => void)} */
    #endClock;
    element;

    /**
     * @param {string} hash
     * @param {string | null} path
     */
    constructor(hash, path) {
        this.#hash = hash;
        this.#path = path;
        this.#log = new LogView(hash);
        this.#thread = new MessageThread(hash);
        this.#conversation.append(this.#thread.element);
        this.#thread.onChange = (_title, count) => {
            if (count > 0 && !this.#conversation.isConnected) this.element.append(this.#conversation);
        };
        this.element = h("section", { class: "start", "data-state": "creating" },
            h("div", { class: "start-head" }, h("span", { class: "pulse", "aria-hidden": "true" }),
                h("div", {}, this.#title, this.#subject), this.#elapsed),
            this.#stages.element, this.#message, this.#problem, this.#log.element, this.#buttons, this.#foot);
        this.#endClock = eachSecond(() => this.#tick());
    }

    /** From arriving to being in, or to a reason why not. */
    async run() {
        this.#show("creating", t("start.title"));
        const known = store.state.sessions.get(this.#hash);
        if (known) this.#take(known);
        let session;
        try {
            session = await this.#read();
        } catch (error) {
            return this.#unreachable(error);
        }
        if (!session) return this.#missing();
        this.#take(session);
        if (session.state === "running") return this.#open(session.url);
        void this.#thread.follow();
        if (session.state === "failed") return this.#fail(session.failure ?? null);
        if (session.state === "creating") {
            this.#underWay = true;
            // Known exactly only while the order to start is the last thing that happened.
            const ordered = /^(created|resumed)$/.test(session.activity?.source ?? "");
            this.#began = (ordered && moment(session.activity?.at)) || Date.now();
            return this.#follow();
        }
        return this.#resume(session);
    }

    end() {
        this.#life.abort();
        this.#log.end();
        this.#thread.end();
        this.#endClock();
    }

    /** @returns {Promise<Session | null>} */
    async #read() {
        try {
            /** @type {any} */
            const session = await call(`/api/sessions/${this.#hash}`, { signal: this.#life.signal });
            return session.state === "none" ? null : session;
        } catch (error) {
            if (error instanceof ApiError && error.status === 404) return null;
            throw error;
        }
    }

    /** @param {Session} session */
    #take(session) {
        this.#session = { ...this.#session, ...session };
        setText(this.#subject, `${repositoryOf(session)} · ${session.branch}`);
        this.#name();
        if (session.state === "creating" && session.stage) this.#stages.reach(session.stage, session.stage === stages[0]);
    }

    /**
     * Starts a sleeping or failed session.
     *
     * @param {Session | null} session
     */
    async #resume(session) {
        if (this.#working) return;
        this.#working = true;
        this.#began = Date.now();
        this.#stages.reset();
        this.#show("creating", session?.state === "stopping" ? t("start.stopping") : t("start.waking"));
        try {
            await call(`/api/sessions/${this.#hash}/resume`, { method: "POST", signal: this.#life.signal, timeout: 90_000 });
        } catch (error) {
            this.#working = false;
            if (this.#life.signal.aborted) return;
            return this.#fail({ code: "", message: sentence(error), hint: "" });
        }
        this.#working = false;
        this.#underWay = false;
        // An old agent that is slow to end holds the new one up.
        this.#patience = Date.now() + 120_000;
        return this.#follow();
    }

    /** Follows the start by its events, over any number of broken connections. */
    async #follow() {
        let delay = 300;
        while (!this.#life.signal.aborted) {
            let ended = false;
            try {
                await readEvents(`/api/sessions/${this.#hash}/events`, {
                    signal: this.#life.signal,
                    onOpen: () => {
                        delay = 300;
                        setText(this.#message, "");
                    },
                    onEvent: (name, data) => {
                        ended = this.#onEvent(name, data) || ended;
                    },
                });
            } catch (error) {
                if (error instanceof ApiError && error.kind === "expired") return;
                setText(this.#message, sentence(error));
            }
            if (ended || this.#life.signal.aborted) return;
            await new Promise((resolve) => {
                window.setTimeout(resolve, delay);
            });
            delay = Math.min(delay * 2, 8000);
            // The events may have ended while nobody listened: ask where it stands.
            try {
                const session = await this.#read();
                if (!session) return this.#missing();
                this.#take(session);
                if (session.state === "running") return this.#open(session.url);
                if (session.state === "failed") return this.#fail(session.failure ?? null);
                if (session.state === "stopped" && this.#isOver()) return this.#stopped();
                if (session.state === "creating") this.#underWay = true;
            } catch (error) {
                setText(this.#message, sentence(error));
            }
        }
    }

    /**
     * @param {string} name
     * @param {string} data
     * @returns {boolean} Whether this was the end of it.
     */
    #onEvent(name, data) {
        /** @type {any} */
        let value;
        try {
            value = JSON.parse(data);
        } catch {
            return false;
        }
        if (name === "progress") {
            // The message says the same as the stage's name, in one language only; the log says more.
            this.#stages.reach(value.stage, true);
        } else if (name === "state_change") {
            if (value.state === "creating") {
                this.#underWay = true;
                setText(this.#title, t(this.#patience > 0 ? "start.waking" : "start.title"));
            } else if (value.state === "stopped" && this.#isOver()) {
                this.#stopped();
                return true;
            }
        } else if (name === "complete") {
            this.#open(value.url);
            return true;
        } else if (name === "error") {
            if (value.code === "session_not_found") this.#missing();
            else void this.#failAsKnown({ code: value.code ?? "", message: value.message ?? "", hint: value.hint ?? "" });
            return true;
        }
        return false;
    }

    /** Whether "stopped" means that this start has ended. */
    #isOver() {
        return this.#underWay || Date.now() > this.#patience;
    }

    /** @param {string | null | undefined} url */
    #open(url) {
        let address = webAddress(url);
        if (!address) return this.#fail({ code: "no_url", message: t("error.unavailable"), hint: "" });
        if (this.#path?.startsWith("/")) {
            const wanted = new URL(this.#path, address);
            if (wanted.origin === new URL(address).origin) address = wanted.href;
        }
        this.#stages.finish();
        if (this.#session) applySession({ ...this.#session, state: "running", stage: null, url: url ?? null });
        this.#show("running", t("start.ready"));
        setText(this.#message, t("start.opening"));
        fill(this.#buttons, h("a", { class: "button button-primary", href: address }, t("start.openNow")));
        announce(t("start.ready"));
        // In place of this page: "back" then leads to the list, not to a screen that sends forward again.
        location.replace(address);
    }

    /**
     * The event names the cause; the session itself also holds the log's last lines.
     *
     * @param {Failure} failure
     */
    async #failAsKnown(failure) {
        try {
            const session = await this.#read();
            if (session?.failure) {
                this.#take(session);
                return this.#fail(session.failure);
            }
        } catch {
            // What the event said must do.
        }
        if (!this.#life.signal.aborted) this.#fail(failure);
    }

    /** @param {Failure | null} failure */
    #fail(failure) {
        this.#stages.fail();
        this.#show("failed", t("start.failed"));
        // Somebody who comes when all is over sees no stages: where it failed is in the reason.
        this.#stages.element.hidden = this.#stages.current === null;
        const log = failure?.log?.trimEnd();
        fill(this.#problem,
            h("p", { class: "start-cause" }, failure?.message || t("error.unavailable")),
            failure?.hint && h("p", { class: "start-hint" }, failure.hint),
            log && h("p", { class: "start-log-title" }, t("start.lastLines")),
            log && h("pre", { class: "log-text", tabindex: "0", "aria-label": t("start.lastLines") }, log));
        this.#problem.hidden = false;
        fill(this.#buttons,
            h("button", { class: "button button-primary", type: "button", onclick: () => void this.#resume(this.#session) },
                t("action.retry")),
            this.#session?.repoUrl && h("a", { class: "button", href: this.#formAddress(this.#session) }, t("start.change")),
            h("a", { class: "button button-quiet", href: "/" }, t("start.back")));
        this.#title.focus({ preventScroll: true });
    }

    /**
     * The form, filled with what this session was made from.
     *
     * @param {Session} session
     */
    #formAddress(session) {
        const parameters = new URLSearchParams({ repo: session.repoUrl ?? "", branch: session.branch });
        if (session.sourceBranch) parameters.set("from", session.sourceBranch);
        if (session.description) parameters.set("prompt", session.description);
        return `/?${parameters}`;
    }

    #stopped() {
        this.#show("stopped", t("start.stopped"));
        setText(this.#message, t("start.stopped.text"));
        fill(this.#buttons,
            h("button", { class: "button button-primary", type: "button", onclick: () => void this.#resume(this.#session) },
                t("action.start")),
            h("a", { class: "button", href: "/" }, t("start.back")));
    }

    #missing() {
        this.#show("missing", t("start.missing"));
        setText(this.#subject, "");
        setText(this.#message, t("start.missing.text"));
        fill(this.#buttons, h("a", { class: "button button-primary", href: "/" }, t("start.back")));
    }

    /** @param {unknown} error */
    #unreachable(error) {
        if (this.#life.signal.aborted) return;
        this.#show("missing", t("start.unreachable"));
        setText(this.#message, sentence(error));
        fill(this.#buttons,
            h("button", { class: "button button-primary", type: "button", onclick: () => void this.run() }, t("action.tryAgain")),
            h("a", { class: "button", href: "/" }, t("start.back")));
    }

    /**
     * @param {"creating" | "running" | "failed" | "stopped" | "missing"} state
     * @param {string} title
     */
    #show(state, title) {
        this.element.dataset.state = state;
        setText(this.#title, title);
        setText(this.#message, "");
        this.#name();
        this.#problem.hidden = true;
        this.#foot.hidden = state !== "creating";
        this.#elapsed.hidden = state !== "creating";
        this.#stages.element.hidden = state === "missing" || state === "stopped";
        this.#log.element.hidden = state === "missing";
        if (state === "missing") this.#conversation.remove();
        this.#log.growing = state === "creating";
        if (state === "creating") {
            fill(this.#buttons,
                h("a", { class: "button", href: "/" }, icon("back"), t("start.back")),
                h("button", { class: "button button-quiet", type: "button", onclick: () => this.#session && void askToStop(this.#session) },
                    t("start.stop")));
        }
        this.#tick();
    }

    /** The tab says how far it is and with what. */
    #name() {
        const subject = this.#session?.repoUrl ? repositoryName(this.#session.repoUrl) : t("app.name");
        document.title = `${this.#title.textContent} · ${subject}`;
    }

    #tick() {
        if (this.element.dataset.state !== "creating") return;
        setText(this.#elapsed, duration(Date.now() - this.#began));
        this.#stages.tick();
    }
}
