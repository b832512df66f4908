/** Tells screen readers what changed, politely and not too often. */
import { h } from "./dom.js";

const region = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
/** @type {string[]} */
let waiting = [];
let busy = false;

/** Puts the region into the document, once. */
export function mountAnnouncer() {
    document.body.append(region);
}

/** @param {string} sentence */
export function announce(sentence) {
    waiting.push(sentence);
    if (!busy) speak();
}

function speak() {
    if (waiting.length === 0) {
        busy = false;
        return;
    }
    busy = true;
    // Twenty sentences at once help nobody: the newest three stand for all.
    region.textContent = waiting.slice(-3).join(" ");
    waiting = [];
    window.setTimeout(speak, 2000);
}
