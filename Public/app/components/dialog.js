/** Questions that must be answered before anything happens, and panels that are looked at and closed. */
import "../later-words.js";
import { h, uniqueID } from "../dom.js";
import { t } from "../text.js";
import { icon } from "./icons.js";

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {(string | null | false)[]} text Paragraphs.
 * @property {string} confirm The words of the button that does it.
 * @property {boolean} [dangerous]
 * @property {string | null} [subject] What it is about, shown between title and text.
 */

/**
 * Asks, and answers whether it was confirmed. Escape and a click beside it mean no.
 *
 * @param {Question & {mustType?: string | null}} question `mustType`: confirming needs this typed.
 * @returns {Promise<boolean>}
 */
export async function ask({ mustType, ...question }) {
    if (!mustType) return (await open(question, null)) !== null;
    const input = h("input", { class: "input", autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
    return (await open(question, {
        input, label: t("delete.type", { branch: mustType }), good: () => input.value.trim() === mustType,
    })) !== null;
}

/**
 * Asks for a value; null means no. The button waits until the browser finds the value valid.
 *
 * @param {Question & {label: string, input: HTMLInputElement}} question
 * @returns {Promise<string | null>}
 */
export function askFor({ label, input, ...question }) {
    return open(question, { input, label, good: () => input.checkValidity() });
}

/**
 * @param {Question} question
 * @param {{input: HTMLInputElement, label: string, good: () => boolean} | null} field
 * @returns {Promise<string | null>} What was in the field (empty without one), or null for no.
 */
function open({ title, text, confirm, dangerous = false, subject }, field) {
    const titleID = uniqueID();
    const textID = uniqueID();
    const button = h("button", {
        class: dangerous ? "button button-danger" : "button button-primary", value: "yes", disabled: field && !field.good(),
    }, confirm);
    if (field) {
        field.input.id = uniqueID();
        field.input.addEventListener("input", () => {
            button.disabled = !field.good();
        });
    }
    const cancel = h("button", {
        class: "button", type: "button", autofocus: !field, onclick: () => dialog.close("no"),
    }, t("action.cancel"));
    const form = h("form", { method: "dialog" },
        h("h2", { id: titleID }, title),
        subject && h("p", { class: "dialog-subject" }, subject),
        h("div", { id: textID, class: "dialog-text" }, ...text.map((line) => line && h("p", {}, line))),
        field && h("div", { class: "field" }, h("label", { for: field.input.id }, field.label), field.input),
        h("div", { class: "dialog-buttons" }, cancel, button));
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": titleID, "aria-describedby": textID }, form);
    dialog.returnValue = "no";
    return present(dialog).then(() => (dialog.returnValue === "yes" ? field?.input.value.trim() ?? "" : null));
}

/**
 * Shows something in a panel until it is closed: by its button, Escape or a click beside it.
 *
 * @param {string} title
 * @param {string} subject What it is about.
 * @param {...Node} content
 * @returns {Promise<void>} When it is closed.
 */
export function showPanel(title, subject, ...content) {
    const titleID = uniqueID();
    const dialog = h("dialog", { class: "dialog panel-dialog", "aria-labelledby": titleID },
        h("div", { class: "panel-head" },
            h("div", {}, h("h2", { id: titleID }, title), h("p", { class: "panel-subject" }, subject)),
            h("button", { class: "icon-button", type: "button", "aria-label": t("action.close"), onclick: () => dialog.close() },
                icon("close"))),
        ...content);
    // The screen that it belongs to goes away.
    const leave = () => dialog.close();
    window.addEventListener("screenchange", leave);
    return present(dialog).then(() => window.removeEventListener("screenchange", leave));
}

/**
 * Shows a dialog until it closes; then the focus is where it was before.
 *
 * @param {HTMLDialogElement} dialog
 * @returns {Promise<void>}
 */
function present(dialog) {
    const before = document.activeElement;
    document.body.append(dialog);
    // Only a click that also began beside the dialog closes it: selecting text may end there.
    let began = false;
    dialog.addEventListener("pointerdown", (event) => {
        began = event.target === dialog;
    });
    dialog.addEventListener("click", (event) => {
        if (event.target === dialog && began) dialog.close();
    });
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => {
            dialog.remove();
            if (before instanceof HTMLElement && before.isConnected) before.focus();
            resolve();
        });
        dialog.showModal();
    });
}
