/** Times as people say them, kept current by one clock for the whole page. */
import { setText } from "./dom.js";
import { language } from "./text.js";

/** @type {Set<() => void>} */
const everySecond = new Set();
/** @type {number | undefined} */
let timer;

/**
 * Calls back about once a second while the page is visible; returns the way to end it.
 *
 * @param {() => void} callback
 * @returns {() => void}
 */
export function eachSecond(callback) {
    everySecond.add(callback);
    timer ??= window.setInterval(() => {
        if (document.hidden) return;
        for (const call of everySecond) call();
    }, 1000);
    return () => {
        everySecond.delete(callback);
        if (everySecond.size === 0) {
            window.clearInterval(timer);
            timer = undefined;
        }
    };
}

/** @type {Map<string, Intl.RelativeTimeFormat>} */
const relativeFormats = new Map();
/** @type {Map<string, Intl.DateTimeFormat>} */
const exactFormats = new Map();

/**
 * "3 minutes ago", "in 12 minutes"; under a minute it does not count seconds, which would only be noise.
 *
 * @param {number} at Milliseconds since 1970.
 * @param {number} [now]
 */
export function relative(at, now = Date.now()) {
    const locale = language();
    let format = relativeFormats.get(locale);
    if (!format) relativeFormats.set(locale, (format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" })));
    const seconds = Math.round((at - now) / 1000);
    const size = Math.abs(seconds);
    if (size < 45) return format.format(0, "second");
    if (size < 45 * 60) return format.format(Math.sign(seconds) * Math.max(1, Math.round(size / 60)), "minute");
    if (size < 22 * 3600) return format.format(Math.sign(seconds) * Math.max(1, Math.round(size / 3600)), "hour");
    return format.format(Math.sign(seconds) * Math.max(1, Math.round(size / 86400)), "day");
}

/**
 * The full date and time, for whoever asks exactly.
 *
 * @param {number} at
 */
export function exact(at) {
    const locale = language();
    let format = exactFormats.get(locale);
    if (!format) {
        format = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
        exactFormats.set(locale, format);
    }
    return format.format(at);
}

/**
 * "8 s", "1:05 min", "2:10:00 h": how long something takes.
 *
 * @param {number} milliseconds
 * @param {boolean} [over] Whether it is over; what is still going on is counted in whole seconds.
 */
export function duration(milliseconds, over = false) {
    if (over && milliseconds < 9950) {
        if (milliseconds < 50) return "< 0.1 s".replace(".", language() === "de" ? "," : ".");
        const tenths = new Intl.NumberFormat(language(), { minimumFractionDigits: 1, maximumFractionDigits: 1 });
        return `${tenths.format(Math.max(0, milliseconds) / 1000)} s`;
    }
    const seconds = Math.max(0, Math.floor(milliseconds / 1000));
    if (seconds < 60) return `${seconds} s`;
    const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
    if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)} min`;
    return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)} h`;
}

/**
 * Milliseconds of an ISO date, or null.
 *
 * @param {string | number | null | undefined} date
 */
export function moment(date) {
    if (date === null || date === undefined) return null;
    const value = typeof date === "number" ? date : Date.parse(date);
    return Number.isFinite(value) ? value : null;
}

/** A time that keeps its words current: set `at`. */
export class TimeAgo extends HTMLElement {
    /** @type {number | null} */
    #at = null;
    /** @type {(() => void) | undefined} */
    #end;
    #ticks = 0;

    /** @param {number | null} value */
    set at(value) {
        if (this.#at === value) return;
        this.#at = value;
        this.#show();
        this.title = value === null ? "" : exact(value);
    }

    connectedCallback() {
        this.#end = eachSecond(() => {
            // Minutes are the smallest unit: a look every ten seconds is enough, however many rows there are.
            this.#ticks = (this.#ticks + 1) % 10;
            if (this.#ticks === 0) this.#show();
        });
    }

    disconnectedCallback() {
        this.#end?.();
    }

    #show() {
        setText(this, this.#at === null ? "" : relative(this.#at));
    }
}

customElements.define("time-ago", TimeAgo);
