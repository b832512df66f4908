/** An address that means nothing. */
import "../later-words.js";
import { h } from "../dom.js";
import { t } from "../text.js";

/** @param {HTMLElement} outlet */
export function missing(outlet) {
    document.title = t("missing.title");
    outlet.append(h("section", { class: "start", "data-state": "missing" },
        h("h1", { class: "start-title" }, t("missing.title")),
        h("p", { class: "start-message" }, t("missing.text")),
        h("div", { class: "start-buttons" }, h("a", { class: "button button-primary", href: "/" }, t("start.back")))));
    return () => {};
}
