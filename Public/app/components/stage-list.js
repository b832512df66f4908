/** The stages of a start as they really happen, with the time each took as far as this page saw it. */
import "../later-words.js";
import { h, setText } from "../dom.js";
import { stages } from "../sessions.js";
import { t } from "../text.js";
import { duration } from "../time.js";
import { icon } from "./icons.js";

/** @typedef {import("../types.js").Stage} Stage */

export class StageList {
    /**
     * When each stage was seen to begin.
     *
     * @type {Map<Stage, number>}
     */
    #began = new Map();
    /**
     * When the last stage ended.
     *
     * @type {number | null}
     */
    #ended = null;
    /** @type {Stage | null} */
    #current = null;
    #failed = false;
    /** @type {Map<Stage, {item: HTMLElement, time: HTMLElement, word: HTMLElement}>} */
    #items = new Map();
    element = h("ol", { class: "stages", "aria-label": t("start.stages") });

    constructor() {
        for (const stage of stages) {
            const time = h("span", { class: "stage-time" });
            const word = h("span", { class: "visually-hidden" });
            const item = h("li", { class: "stage", "data-stage": stage },
                h("span", { class: "stage-mark", "aria-hidden": "true" }, icon("check"), icon("cross")),
                h("span", { class: "stage-name" }, t(`stage.${stage}`), " ", word), time);
            this.#items.set(stage, { item, time, word });
            this.element.append(item);
        }
        this.#show();
    }

    get current() {
        return this.#current;
    }

    /** Begins anew. */
    reset() {
        this.#began.clear();
        this.#current = null;
        this.#ended = null;
        this.#failed = false;
        this.#show();
    }

    /**
     * The start has come to this stage. A page that joins a start in the middle knows nothing about the stages before,
     * and says nothing about their time.
     *
     * @param {Stage} stage
     * @param {boolean} seen Whether this page saw it begin.
     */
    reach(stage, seen) {
        if (stage === this.#current || !this.#items.has(stage)) return;
        const back = this.#current !== null && stages.indexOf(stage) < stages.indexOf(this.#current);
        if (back) this.#began.clear();
        this.#current = stage;
        this.#failed = false;
        this.#ended = null;
        if (seen) this.#began.set(stage, Date.now());
        this.#show();
    }

    /** All stages are behind. */
    finish() {
        this.#ended = Date.now();
        this.#current = null;
        this.#show(true);
    }

    /** The current stage is where it went wrong. */
    fail() {
        this.#failed = true;
        this.#ended ??= Date.now();
        this.#show();
    }

    /** Lets the clocks run on. */
    tick() {
        this.#times();
    }

    #show(all = false) {
        const reached = all ? stages.length : this.#current ? stages.indexOf(this.#current) : -1;
        stages.forEach((stage, index) => {
            const { item, word } = /** @type {any} */ (this.#items.get(stage));
            const state = index < reached ? "done" : index > reached ? "todo" : this.#failed ? "failed" : "now";
            item.dataset.state = state;
            if (state === "now") item.setAttribute("aria-current", "step");
            else item.removeAttribute("aria-current");
            setText(word, state === "failed" ? t("state.failed") : t(`start.${/** @type {"done" | "now" | "todo"} */ (state)}`));
        });
        this.#times();
    }

    #times() {
        stages.forEach((stage, index) => {
            const began = this.#began.get(stage);
            // A stage that passed between two looks has no time of its own, and must not count as its neighbour's.
            const after = stages[index + 1];
            const next = after ? this.#began.get(after) : this.#ended ?? undefined;
            const { item, time } = /** @type {any} */ (this.#items.get(stage));
            const end = next ?? (item.dataset.state === "failed" ? this.#ended : item.dataset.state === "now" ? Date.now() : null);
            const known = began !== undefined && end !== null && item.dataset.state !== "todo";
            setText(time, known ? duration(end - began, item.dataset.state !== "now") : "");
        });
    }
}
