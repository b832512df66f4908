/** Short notes at the edge of the page: what was done, or what failed and how to go on. */
import { h } from "../dom.js";
import { t } from "../text.js";
import { icon } from "./icons.js";

const shelf = h("div", { class: "toasts", role: "region", "aria-live": "polite" });

/** Puts the shelf into the document, once. */
export function mountToasts() {
    shelf.setAttribute("aria-label", t("toast.region"));
    document.body.append(shelf);
}

/**
 * Shows a note. An error stays until it is dismissed; the rest goes by itself unless somebody is reading it.
 *
 * @param {{text: string, kind?: "note" | "error", action?: {label: string, run: () => void}}} content
 */
export function toast({ text, kind = "note", action }) {
    const note = h("div", { class: `toast toast-${kind}` }, h("p", {}, text));
    if (action) {
        note.append(h("button", {
            class: "button button-quiet",
            type: "button",
            onclick: () => {
                note.remove();
                action.run();
            },
        }, action.label));
    }
    note.append(h("button", {
        class: "icon-button", type: "button", "aria-label": t("action.dismiss"), onclick: () => note.remove(),
    }, icon("close")));
    shelf.append(note);
    while (shelf.childElementCount > 4) shelf.firstElementChild?.remove();
    if (kind === "error") return;
    const leave = () => {
        if (note.matches(":hover, :focus-within")) window.setTimeout(leave, 2000);
        else note.remove();
    };
    window.setTimeout(leave, 6000);
}
