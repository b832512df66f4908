/** `/admin`: everybody's sessions, for administrators. */
import "../later-words.js";
import { ApiError, call, sentence } from "../api.js";
import { ask } from "../components/dialog.js";
import { icon } from "../components/icons.js";
import { toast } from "../components/toast.js";
import { h, fill, setText } from "../dom.js";
import { activityOf, repositoryOf, titleOf } from "../sessions.js";
import { t } from "../text.js";
import { moment, TimeAgo } from "../time.js";

/** @typedef {import("../types.js").Session} Session */

/** How often the table asks for news while it is looked at. */
const pace = 5000;
/** More rows than anybody reads only slow the page down. */
const mostShown = 200;

/**
 * @param {HTMLElement} outlet
 * @returns {() => void} Takes the screen away.
 */
export function admin(outlet) {
    const screen = new AdminScreen();
    outlet.append(screen.element);
    screen.start();
    return () => screen.end();
}

class AdminScreen {
    /** @type {Session[]} */
    #sessions = [];
    #words = "";
    #life = new AbortController();
    /** @type {number | undefined} */
    #timer;
    #told = "";
    #totals = h("dl", { class: "totals" });
    #body = h("tbody", { role: "rowgroup" });
    #node = h("th", { scope: "col", role: "columnheader" }, t("admin.node"));
    #updated = h("p", { class: "admin-updated" });
    #problem = h("p", { class: "list-stale", role: "alert", hidden: true });
    #search = h("input", {
        class: "input filter-input", type: "search", autocomplete: "off", "aria-label": t("admin.filter"), placeholder: t("admin.filter"),
        oninput: () => {
            this.#words = this.#search.value.trim().toLowerCase();
            this.#show();
        },
    });
    #content = h("div", { hidden: true }, this.#totals,
        h("div", { class: "filter" }, h("span", { class: "filter-field" }, icon("search"), this.#search), this.#updated),
        h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": t("admin.title") },
            h("table", { class: "table", role: "table" },
                h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
                    ...[t("admin.owner"), t("admin.session"), t("admin.state"), t("admin.activity"), t("admin.age")]
                        .map((words) => h("th", { scope: "col", role: "columnheader" }, words)),
                    this.#node,
                    h("th", { scope: "col", role: "columnheader" }, h("span", { class: "visually-hidden" }, t("admin.actions"))))),
                this.#body)));
    element = h("div", {}, h("h1", { class: "greeting" }, t("admin.title")), this.#problem, this.#content);

    start() {
        document.title = `${t("admin.title")} · ${t("app.name")}`;
        void this.#load();
    }

    end() {
        this.#life.abort();
        window.clearTimeout(this.#timer);
    }

    async #load() {
        window.clearTimeout(this.#timer);
        if (document.hidden) {
            this.#timer = window.setTimeout(() => void this.#load(), pace);
            return;
        }
        try {
            const answer = await call("/api/admin/sessions", { signal: this.#life.signal });
            this.#content.hidden = false;
            this.#problem.hidden = answer.stale !== true;
            setText(this.#problem, answer.stale ? t("list.stale") : "");
            setText(this.#updated, t("admin.updated", { time: new Date().toLocaleTimeString(document.documentElement.lang) }));
            const told = JSON.stringify(answer);
            if (told !== this.#told) {
                this.#told = told;
                this.#sessions = answer.sessions;
                this.#showTotals(answer.limits ?? {});
                this.#show();
            }
        } catch (error) {
            if (this.#life.signal.aborted) return;
            const forbidden = error instanceof ApiError && error.status === 403;
            setText(this.#problem, forbidden ? t("admin.forbidden") : sentence(error));
            this.#problem.hidden = false;
            if (forbidden) return;
        }
        this.#timer = window.setTimeout(() => void this.#load(), pace);
    }

    /** @param {Record<string, number | null>} limits */
    #showTotals(limits) {
        const running = this.#sessions.filter((one) => one.state === "running" || one.state === "creating").length;
        const owners = new Set(this.#sessions.map((one) => one.email)).size;
        const total = (/** @type {number} */ count, /** @type {string} */ words, /** @type {number | null | undefined} */ limit) =>
            h("div", { class: "total" }, h("dt", {}, words),
                h("dd", {}, h("strong", {}, count), limit ? h("span", {}, " ", t("admin.of", { limit })) : null));
        fill(this.#totals, total(running, t("admin.running"), limits.runningTotal),
            total(this.#sessions.length, t("admin.total"), null), total(owners, t("admin.owners"), null));
    }

    #show() {
        const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.stop : undefined;
        const nodes = this.#sessions.some((one) => one.node);
        this.#node.hidden = !nodes;
        const rows = this.#sessions.filter((one) => this.#words === ""
            || `${one.email} ${one.repoUrl ?? ""} ${one.branch} ${titleOf(one)} ${one.state} ${t(`state.${one.state}`)} ${one.node ?? ""}`
                .toLowerCase().includes(this.#words));
        fill(this.#body, ...rows.slice(0, mostShown).map((one) => this.#row(one, nodes)));
        const hidden = rows.length - mostShown;
        const words = rows.length === 0 ? t("list.nothing") : hidden > 0 ? t("admin.more", { count: hidden }) : "";
        if (words) {
            this.#body.append(h("tr", { role: "row" }, h("td", { colspan: 7, class: "list-nothing", role: "cell" }, words)));
        }
        if (focused) this.#body.querySelector(`[data-stop="${CSS.escape(focused)}"]`)?.dispatchEvent(new Event("refocus"));
    }

    /**
     * @param {Session} session
     * @param {boolean} nodes
     */
    #row(session, nodes) {
        const can = session.state === "running" || session.state === "creating";
        const stop = h("button", {
            class: "button button-small", type: "button", hidden: !can, "data-stop": session.hash,
            "aria-label": t("action.stopNamed", { title: titleOf(session) }),
            onclick: () => void this.#stop(session), onrefocus: () => stop.focus({ preventScroll: true }),
        }, t("action.stop"));
        return h("tr", { "data-state": session.state, role: "row" },
            cell("owner", session.email),
            cell("session", h("span", { class: "cell-title" }, titleOf(session)),
                h("span", { class: "cell-sub" }, `${repositoryOf(session)} · ${session.branch}`)),
            cell("state", h("span", { class: "row-dot", "aria-hidden": "true" }), t(`state.${session.state}`)),
            cell("activity", ago(activityOf(session))),
            cell("age", ago(moment(session.createdAt))),
            nodes && cell("node", session.node ?? ""),
            cell("stop", stop));
    }

    /** @param {Session} session */
    async #stop(session) {
        const yes = await ask({
            title: t("admin.stopTitle", { owner: session.email }), subject: `${repositoryOf(session)} · ${session.branch}`,
            text: [t("stop.text")], confirm: t("stop.confirm"), dangerous: true,
        });
        if (!yes) return;
        try {
            await call(`/api/sessions/${session.hash}/stop`, { method: "POST" });
            await this.#load();
        } catch (error) {
            toast({ text: `${t("error.stop", { title: titleOf(session) })} ${sentence(error)}`, kind: "error" });
        }
    }
}

/**
 * A cell; on a phone, where the table becomes cards, CSS places it by its name. The roles keep it a table there.
 *
 * @param {string} name
 * @param {...(Node | string)} content
 */
function cell(name, ...content) {
    return h("td", { class: `cell-${name}`, role: "cell" }, ...content);
}

/** @param {number | null} at */
function ago(at) {
    const element = new TimeAgo();
    element.at = at;
    return element;
}
