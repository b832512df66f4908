/** A log that unfolds on demand and follows while it grows. */
import "../later-words.js";
import { ApiError, callText, sentence } from "../api.js";
import { h, setText } from "../dom.js";
import { t } from "../text.js";

const pace = 1500;

export class LogView {
    #hash;
    #text = h("pre", { class: "log-text", tabindex: "0", "aria-label": t("start.log") });
    #growing = true;
    /** @type {number | undefined} */
    #timer;
    /** @type {AbortController | null} */
    #request = null;
    element;

    /** @param {string} hash */
    constructor(hash) {
        this.#hash = hash;
        this.element = h("details", { class: "log", ontoggle: () => this.#toggled() },
            h("summary", {}, t("start.log")), this.#text);
    }

    /**
     * Whether there is more to come.
     *
     * @param {boolean} value
     */
    set growing(value) {
        if (this.#growing === value) return;
        this.#growing = value;
        this.#toggled();
    }

    end() {
        window.clearTimeout(this.#timer);
        this.#request?.abort();
    }

    #toggled() {
        this.end();
        if (this.element.open) void this.#load();
    }

    async #load() {
        const request = new AbortController();
        this.#request = request;
        try {
            const text = await callText(`/api/sessions/${this.#hash}/log?container=init`, { signal: request.signal });
            this.#put(text.trimEnd() || t("start.log.empty"));
        } catch (error) {
            if (request.signal.aborted) return;
            const none = error instanceof ApiError && (error.kind === "missing" || error.status === 404);
            if (!this.#text.textContent) this.#put(none ? t("start.log.none") : sentence(error));
        }
        if (this.#growing) this.#timer = window.setTimeout(() => void this.#load(), pace);
    }

    /** @param {string} text */
    #put(text) {
        const atEnd = this.#text.scrollTop + this.#text.clientHeight >= this.#text.scrollHeight - 24;
        setText(this.#text, text);
        if (atEnd) this.#text.scrollTop = this.#text.scrollHeight;
    }
}
