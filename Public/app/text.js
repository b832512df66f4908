/** Words in the person's language. */
import { en } from "./locale/en.js";
import * as preferences from "./preferences.js";

/** @typedef {keyof typeof en | keyof typeof import("./locale/en-later.js").later} Key */

/**
 * The words of the first screen, and of what was loaded since.
 *
 * @type {Record<string, string>}
 */
const english = { ...en };
/** @type {Record<string, string>} */
let words = english;
/** @type {"en" | "de"} */
let current = "en";

/** The language of the page, for dates and for `lang`. */
export function language() {
    return current;
}

/** Takes the preferred language, fetching its words if need be, and names it to the document. */
export async function applyLanguage() {
    const wanted = preferences.language();
    try {
        words = wanted === "de" ? (await import("./locale/de.js")).de : english;
        current = wanted;
    } catch {
        // Without its words the page stays as it is.
    }
    document.documentElement.lang = current;
}

/**
 * Takes the words of what comes after the first screen.
 *
 * @param {Record<string, string>} more
 */
export function addEnglish(more) {
    Object.assign(english, more);
}

/**
 * The words of a key, with `{name}` filled in.
 *
 * @param {Key} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
    const text = words[key] ?? english[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * The words for a number: the key's `.one` or `.other`.
 *
 * @param {string} key
 * @param {number} count
 * @returns {string}
 */
export function plural(key, count) {
    const form = count === 1 ? "one" : "other";
    return t(/** @type {Key} */ (`${key}.${form}`), { count });
}

/**
 * The words of a key that is put together at run time, or a fallback when there is none.
 *
 * @param {string} key
 * @param {string} fallback
 */
export function maybe(key, fallback) {
    return key in english ? t(/** @type {Key} */ (key)) : fallback;
}
