/** placeholder */
import { h } from "../dom.js";
import { t } from "../text.js";

/** @param {HTMLElement} outlet */
export function settings(outlet) {
    outlet.append(h("h1", {}, t("settings.title")));
    return () => {};
}
