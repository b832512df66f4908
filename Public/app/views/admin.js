/** placeholder */
import { h } from "../dom.js";
import { t } from "../text.js";

/** @param {HTMLElement} outlet */
export function admin(outlet) {
    outlet.append(h("h1", {}, t("admin.title")));
    return () => {};
}
