/** What was said in a session, and what is being said: a stream while it lasts, a fresh snapshot after every gap. */
import "../later-words.js";
import { ApiError, sentence } from "../api.js";
import { h, setText, uniqueID } from "../dom.js";
import { readEvents } from "../stream.js";
import { t } from "../text.js";
import { exact, relative } from "../time.js";

/** @typedef {import("../types.js").Message} Message */

/** The router keeps no more; a page that stays open for days does not either. */
const limit = 200;
const firstDelay = 500;
const longestDelay = 15_000;

export class MessageThread {
    #hash;
    #life = new AbortController();
    /** @type {Map<string, MessageItem>} */
    #items = new Map();
    #feed = h("div", { class: "thread-feed", role: "feed", onkeydown: (/** @type {KeyboardEvent} */ event) => this.#onKey(event) });
    #note = h("p", { class: "thread-note", role: "status" });
    element = h("div", { class: "thread" }, this.#feed, this.#note);
    /** @type {(title: string | null, count: number) => void} */
    onChange = () => {};

    /** @param {string} hash */
    constructor(hash) {
        this.#hash = hash;
        this.#feed.setAttribute("aria-label", t("thread.title"));
        this.#feed.hidden = true;
        setText(this.#note, t("thread.loading"));
    }

    /** Shows what is said until `end`. */
    async follow() {
        for (let delay = firstDelay; !this.#life.signal.aborted; delay = Math.min(delay * 2, longestDelay)) {
            try {
                await readEvents(`/api/sessions/${this.#hash}/progress/stream`, {
                    signal: this.#life.signal,
                    onOpen: () => {
                        delay = firstDelay;
                    },
                    onEvent: (name, data) => this.#onEvent(name, data),
                });
            } catch (error) {
                const over = error instanceof ApiError && (error.kind === "missing" || error.kind === "expired" || error.status === 404);
                if (this.#items.size === 0) {
                    setText(this.#note, error instanceof ApiError && error.kind === "missing" ? t("thread.missing") : sentence(error));
                }
                if (over) return;
            }
            await new Promise((resolve) => {
                window.setTimeout(resolve, delay);
            });
        }
    }

    end() {
        this.#life.abort();
    }

    /** Goes to the newest message. */
    focus() {
        const newest = [...this.#items.values()].at(-1);
        newest?.element.focus({ preventScroll: true });
        this.#feed.scrollTop = this.#feed.scrollHeight;
    }

    /**
     * @param {string} name
     * @param {string} data
     */
    #onEvent(name, data) {
        /** @type {any} */
        let value;
        try {
            value = JSON.parse(data);
        } catch {
            return;
        }
        const atEnd = this.#feed.scrollTop + this.#feed.clientHeight >= this.#feed.scrollHeight - 24;
        if (name === "snapshot") this.#replace(Array.isArray(value.messages) ? value.messages : []);
        else if (name === "message") this.#put(value);
        else return;
        const count = this.#items.size;
        this.#feed.hidden = count === 0;
        setText(this.#note, count === 0 ? t("thread.empty") : "");
        this.#number();
        this.onChange(typeof value.title === "string" ? value.title : null, count);
        // Afterwards, for only what is shown can be scrolled.
        if (atEnd) this.#feed.scrollTop = this.#feed.scrollHeight;
    }

    /** @param {Message[]} messages */
    #replace(messages) {
        const wanted = new Set(messages.map((message) => message.partID));
        for (const [part, item] of this.#items) {
            if (wanted.has(part)) continue;
            item.element.remove();
            this.#items.delete(part);
        }
        for (const message of messages.slice(-limit)) this.#put(message);
    }

    /** @param {Message} message */
    #put(message) {
        const known = this.#items.get(message.partID);
        if (known) return known.update(message);
        const item = new MessageItem(message);
        this.#items.set(message.partID, item);
        this.#feed.append(item.element);
        const [oldest] = this.#items.keys();
        if (this.#items.size > limit) {
            this.#items.get(oldest)?.element.remove();
            this.#items.delete(oldest);
        }
    }

    /** Tells each message its place, and makes one of them the way in with the keyboard. */
    #number() {
        const items = [...this.#items.values()];
        const entry = items.find((item) => item.element.contains(document.activeElement)) ?? items.at(-1);
        items.forEach((item, index) => {
            item.element.setAttribute("aria-posinset", String(index + 1));
            item.element.setAttribute("aria-setsize", String(items.length));
            item.element.tabIndex = item === entry ? 0 : -1;
        });
    }

    /** @param {KeyboardEvent} event */
    #onKey(event) {
        if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
        const items = [...this.#items.values()].map((item) => item.element);
        const index = items.findIndex((element) => element === document.activeElement);
        const last = items.length - 1;
        /** @type {Record<string, number>} */
        const goals = { ArrowUp: Math.max(0, index - 1), ArrowDown: Math.min(last, index + 1), Home: 0, End: last };
        const goal = index < 0 ? undefined : items[goals[event.key]];
        if (!goal) return;
        event.preventDefault();
        for (const element of items) element.tabIndex = element === goal ? 0 : -1;
        goal.focus();
    }
}

/** One message. A long one shows its beginning until it is gone to. */
class MessageItem {
    #text = h("p", { class: "message-text" });
    #time = h("time", { class: "message-time" });
    element;

    /** @param {Message} message */
    constructor(message) {
        const mine = message.type === "message.user";
        const label = uniqueID();
        this.element = h("article", { class: mine ? "message message-user" : "message", "aria-labelledby": label, tabindex: "-1" },
            h("p", { class: "message-head", id: label },
                h("span", { class: "message-who" }, t(mine ? "thread.you" : "thread.agent")), " ", this.#time),
            this.#text);
        this.update(message);
    }

    /** @param {Message} message */
    update(message) {
        setText(this.#text, message.text);
        setText(this.#time, relative(message.time));
        this.#time.dateTime = new Date(message.time).toISOString();
        this.#time.title = exact(message.time);
    }
}
