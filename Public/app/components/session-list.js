/**
 * All sessions in groups, live. A row keeps its place while its session stays in its group: nothing jumps away under
 * the pointer because somebody used it; a session that enters a group comes in on top.
 */
import { announce } from "../announce.js";
import { h, setText } from "../dom.js";
import { activityOf, groupOf, groups, shownState, titleOf } from "../sessions.js";
import { store } from "../store.js";
import { t } from "../text.js";
import { eachSecond } from "../time.js";
import { icon } from "./icons.js";
import { SessionRow } from "./session-row.js";

/** @typedef {import("../sessions.js").Group} Group */

/** Below this number a filter is only furniture. */
const filterFrom = 5;
/** So many rows are made in one turn. */
const atOnce = 50;

export class SessionList extends HTMLElement {
    /** @type {Map<string, SessionRow>} */
    #rows = new Map();
    /** @type {Record<Group, {section: HTMLElement, list: HTMLElement, count: HTMLElement}>} */
    #sections = /** @type {any} */ ({});
    /** @type {Record<Group | "all", HTMLButtonElement>} */
    #chips = /** @type {any} */ ({});
    /** The first look at a long list comes in pieces, so that the page answers meanwhile. */
    #filling = true;
    /** @type {number | undefined} */
    #timer;
    #words = "";
    /** @type {Group | "all"} */
    #only = "all";
    /** @type {(() => void)[]} */
    #ends = [];
    #ticks = 0;
    #search = h("input", { class: "input filter-input", type: "search", autocomplete: "off", spellcheck: "false" });
    #filter = h("div", { class: "filter", hidden: true });
    #empty = h("div", { class: "list-empty", hidden: true });
    #nothing = h("p", { class: "list-nothing", hidden: true });
    #loading = h("div", { class: "list-loading", role: "status" });
    #error = h("p", { class: "list-stale", role: "alert", hidden: true });
    /** @type {unknown} */
    #seen = null;
    /** @type {unknown} */
    #seenPending = null;

    connectedCallback() {
        if (this.childElementCount === 0) this.#build();
        this.#ends = [
            store.subscribe(() => this.#update()),
            eachSecond(() => {
                this.#ticks += 1;
                if (this.#ticks % 15 === 0) for (const row of this.#rows.values()) if (row.group === "running") row.showStop();
            }),
        ];
        this.#update();
    }

    disconnectedCallback() {
        for (const end of this.#ends) end();
        this.#ends = [];
    }

    focusFilter() {
        if (this.#filter.hidden) return false;
        this.#search.focus();
        this.#search.select();
        return true;
    }

    #build() {
        this.#search.setAttribute("aria-label", t("list.filter"));
        this.#search.setAttribute("placeholder", t("list.filter"));
        this.#search.addEventListener("input", () => {
            this.#words = this.#search.value.trim().toLowerCase();
            this.#show();
        });
        this.#search.addEventListener("keydown", (event) => {
            if (event.key === "Escape" && this.#search.value) {
                this.#clear();
                event.preventDefault();
            } else if (event.key === "ArrowDown") {
                this.#visibleRows()[0]?.focus();
                event.preventDefault();
            }
        });
        const chips = h("div", { class: "chips", role: "group", "aria-label": t("list.filter.state") });
        for (const group of /** @type {const} */ (["all", ...groups])) {
            const chip = h("button", {
                class: "chip", type: "button", "aria-pressed": String(group === "all"), "data-group": group,
                onclick: () => {
                    this.#only = this.#only === group ? "all" : group;
                    this.#show();
                },
            }, h("span", {}, group === "all" ? t("list.filter.all") : t(`state.${group}`)), h("span", { class: "chip-count" }));
            this.#chips[group] = chip;
            chips.append(chip);
        }
        this.#filter.append(h("span", { class: "filter-field" }, icon("search"), this.#search), chips);
        this.#loading.append(h("p", { class: "visually-hidden" }, t("list.loading")),
            h("div", { class: "ghost" }), h("div", { class: "ghost" }), h("div", { class: "ghost" }));
        this.#empty.append(h("p", { class: "list-empty-title" }, t("list.empty")), h("p", {}, t("list.empty.hint")));
        this.#nothing.append(t("list.nothing"), " ",
            h("button", { class: "button button-quiet", type: "button", onclick: () => this.#clear() }, t("list.clear")));
        this.append(h("h2", { class: "visually-hidden" }, t("list.title")), this.#error, this.#filter, this.#loading,
            this.#empty, this.#nothing);
        for (const group of groups) {
            const count = h("span", { class: "group-count" });
            const list = h("ul", { class: "rows", role: "list" });
            const section = h("section", { class: "group", "data-group": group, hidden: true, "aria-label": t(`state.${group}`) },
                h("h3", { class: "group-title" }, t(`state.${group}`), count), list);
            this.#sections[group] = { section, list, count };
            this.append(section);
        }
        this.addEventListener("keydown", (event) => this.#onKey(event));
    }

    #update() {
        const { sessions, pending, loaded, stale, loadError } = store.state;
        this.#loading.hidden = loaded || loadError !== null;
        const warning = loadError ?? (stale ? t("list.stale") : "");
        setText(this.#error, warning);
        this.#error.hidden = warning === "";
        if (!loaded || (sessions === this.#seen && pending === this.#seenPending && !this.#filling)) return;
        this.#seen = sessions;
        this.#seenPending = pending;
        for (const [hash, row] of this.#rows) {
            if (sessions.has(hash)) continue;
            this.#focusNear(row);
            row.element.remove();
            this.#rows.delete(hash);
        }
        /** @type {import("../types.js").Session[]} */
        const fresh = [];
        for (const session of sessions.values()) {
            const row = this.#rows.get(session.hash);
            if (row) this.#renew(row, session, pending.get(session.hash));
            else fresh.push(session);
        }
        fresh.sort((one, other) => (activityOf(other) ?? 0) - (activityOf(one) ?? 0));
        if (this.#filling) {
            for (const session of fresh.splice(0, atOnce)) this.#add(session, pending.get(session.hash), "last");
            this.#filling = fresh.length > 0;
            if (this.#filling && this.#timer === undefined) this.#timer = window.setTimeout(() => this.#goOn());
        } else {
            for (const session of fresh.reverse()) this.#add(session, pending.get(session.hash), "first");
        }
        this.#show();
    }

    #goOn() {
        this.#timer = undefined;
        if (this.isConnected) this.#update();
    }

    /**
     * @param {import("../types.js").Session} session
     * @param {import("../types.js").Pending | undefined} order
     * @param {"first" | "last"} where
     */
    #add(session, order, where) {
        const row = new SessionRow(session, order);
        this.#rows.set(session.hash, row);
        const state = shownState(session, order);
        this.#place(row, groupOf(state === "deleting" ? session.state : state), where);
    }

    /**
     * @param {SessionRow} row
     * @param {import("../types.js").Session} session
     * @param {import("../types.js").Pending | undefined} order
     */
    #renew(row, session, order) {
        if (row.session.state !== session.state) {
            announce(t("announce.state", { title: titleOf(session), state: t(`state.${session.state}`) }));
        }
        row.update(session, order);
        const state = shownState(session, order);
        if (state !== "deleting" && row.group !== groupOf(state)) this.#place(row, groupOf(state), "first");
    }

    /**
     * Puts a row into a group, keeping the focus that may be in it.
     *
     * @param {SessionRow} row
     * @param {Group} group
     * @param {"first" | "last"} where
     */
    #place(row, group, where) {
        const focused = row.element.contains(document.activeElement) ? document.activeElement : null;
        row.group = group;
        const { list } = this.#sections[group];
        if (where === "first") list.prepend(row.element);
        else list.append(row.element);
        if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
    }

    #show() {
        /** @type {Record<Group, number>} */
        const counts = { running: 0, creating: 0, failed: 0, stopped: 0 };
        /** @type {Record<Group, number>} */
        const visible = { running: 0, creating: 0, failed: 0, stopped: 0 };
        for (const row of this.#rows.values()) {
            counts[row.group] += 1;
            const match = (this.#only === "all" || this.#only === row.group)
                && (this.#words === "" || row.searchText.includes(this.#words));
            if (row.element.hidden === match) row.element.hidden = !match;
            if (match) visible[row.group] += 1;
        }
        const total = this.#rows.size;
        for (const group of groups) {
            const { section, count } = this.#sections[group];
            section.hidden = visible[group] === 0;
            setText(count, String(visible[group]));
            const chip = this.#chips[group];
            chip.hidden = counts[group] === 0 && this.#only !== group;
            chip.setAttribute("aria-pressed", String(this.#only === group));
            setText(/** @type {Element} */ (chip.lastElementChild), String(counts[group]));
        }
        this.#chips.all.setAttribute("aria-pressed", String(this.#only === "all"));
        setText(/** @type {Element} */ (this.#chips.all.lastElementChild), String(total));
        const filtered = this.#only !== "all" || this.#words !== "";
        this.#filter.hidden = total < filterFrom && !filtered;
        this.#empty.hidden = total > 0;
        this.#nothing.hidden = total === 0 || !filtered || groups.some((group) => visible[group] > 0);
    }

    #clear() {
        this.#search.value = "";
        this.#words = "";
        this.#only = "all";
        this.#show();
        this.#search.focus();
    }

    /** @returns {SessionRow[]} */
    #visibleRows() {
        return [...this.querySelectorAll(".row:not([hidden])")].flatMap((element) => {
            const row = this.#rows.get(element.getAttribute("data-hash") ?? "");
            return row ? [row] : [];
        });
    }

    /**
     * The focus must not fall to nowhere when its row goes.
     *
     * @param {SessionRow} row
     */
    #focusNear(row) {
        if (!row.element.contains(document.activeElement)) return;
        const rows = this.#visibleRows();
        const index = rows.indexOf(row);
        (rows[index + 1] ?? rows[index - 1])?.focus();
    }

    /** @param {KeyboardEvent} event */
    #onKey(event) {
        const element = event.target instanceof Element ? event.target.closest(".row") : null;
        if (!element || event.defaultPrevented) return;
        const row = this.#rows.get(element.getAttribute("data-hash") ?? "");
        if (!row) return;
        const rows = this.#visibleRows();
        const index = rows.indexOf(row);
        if (event.key === "ArrowDown") rows[Math.min(index + 1, rows.length - 1)].focus();
        else if (event.key === "ArrowUp" && index === 0) this.focusFilter();
        else if (event.key === "ArrowUp") rows[index - 1].focus();
        else if (event.key === "Delete") void import("./session-menu.js").then((menu) => menu.askToDelete(row.session));
        else return;
        event.preventDefault();
    }
}

customElements.define("session-list", SessionList);
