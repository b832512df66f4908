/** A question that must be answered before anything happens. */
import { h, uniqueID } from "../dom.js";
import { t } from "../text.js";

/**
 * Asks, and answers whether it was confirmed. Escape and a click beside it mean no.
 *
 * @param {object} question
 * @param {string} question.title
 * @param {(string | null | false)[]} question.text Paragraphs.
 * @param {string} question.confirm The words of the button that does it.
 * @param {boolean} [question.dangerous]
 * @param {string | null} [question.subject] What it is about, shown between title and text.
 * @param {string | null} [question.mustType] Confirming needs this typed.
 * @returns {Promise<boolean>}
 */
export function ask({ title, text, confirm, dangerous = false, subject, mustType }) {
    const titleID = uniqueID();
    const textID = uniqueID();
    const inputID = uniqueID();
    const button = h("button", {
        class: dangerous ? "button button-danger" : "button button-primary", value: "yes", disabled: Boolean(mustType),
    }, confirm);
    const input = mustType
        ? h("input", {
            id: inputID, class: "input", autocomplete: "off", spellcheck: "false", autocapitalize: "off",
            oninput: () => {
                button.disabled = input?.value.trim() !== mustType;
            },
        })
        : null;
    const form = h("form", { method: "dialog" },
        h("h2", { id: titleID }, title),
        subject && h("p", { class: "dialog-subject" }, subject),
        h("div", { id: textID, class: "dialog-text" }, ...text.map((line) => line && h("p", {}, line))),
        input && h("div", { class: "field" }, h("label", { for: inputID }, t("delete.type", { branch: mustType ?? "" })), input),
        h("div", { class: "dialog-buttons" },
            h("button", { class: "button", value: "no", formnovalidate: true, autofocus: !input, type: "button",
                onclick: () => dialog.close("no") }, t("action.cancel")),
            button));
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": titleID, "aria-describedby": textID }, form);
    const before = document.activeElement;
    document.body.append(dialog);
    dialog.addEventListener("click", (event) => {
        if (event.target === dialog) dialog.close("no");
    });
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => {
            dialog.remove();
            if (before instanceof HTMLElement && before.isConnected) before.focus();
            resolve(dialog.returnValue === "yes");
        });
        dialog.returnValue = "no";
        dialog.showModal();
    });
}
