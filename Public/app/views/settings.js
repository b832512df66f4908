/** `/settings`: how the page looks, what sessions get, what this is. */
import "../later-words.js";
import { call } from "../api.js";
import { idleSettings } from "../components/idle-settings.js";
import { VariableList } from "../components/variable-list.js";
import { h, setText, uniqueID } from "../dom.js";
import * as preferences from "../preferences.js";
import { store } from "../store.js";
import { t } from "../text.js";

/**
 * @param {HTMLElement} outlet
 * @returns {() => void} Takes the screen away.
 */
export function settings(outlet) {
    document.title = `${t("settings.title")} · ${t("app.name")}`;
    const variables = new VariableList();
    const idle = h("div");
    const account = h("p");
    const version = h("p");
    outlet.append(
        h("h1", { class: "greeting" }, t("settings.title")),
        section(t("settings.look"),
            choice(t("settings.theme"), preferences.theme(), {
                system: t("settings.theme.system"), light: t("settings.theme.light"), dark: t("settings.theme.dark"),
            }, preferences.setTheme),
            choice(t("settings.language"), preferences.chosenLanguage(), {
                system: t("settings.language.system"), en: "English", de: "Deutsch",
            }, (value) => {
                preferences.setLanguage(value);
                window.dispatchEvent(new Event("languagechosen"));
            }),
            shortcuts()),
        variables, idle,
        section(t("settings.about"), account, version));

    function show() {
        const { me } = store.state;
        if (!me) return;
        setText(account, t("settings.account", { email: me.email }));
        if (idle.childElementCount === 0) idle.append(idleSettings(me.limits ?? {}) ?? "");
    }
    const end = store.subscribe(show);
    show();
    call("/api/version").then(
        (answer) => setText(version, t("settings.version", { version: String(answer.version) })),
        () => {});
    return end;
}

/**
 * @param {string} title
 * @param {...HTMLElement} content
 */
function section(title, ...content) {
    const id = uniqueID();
    return h("section", { class: "panel", "aria-labelledby": id }, h("h2", { class: "panel-title", id }, title), ...content);
}

/**
 * One of a few.
 *
 * @param {string} label
 * @param {string} current
 * @param {Record<string, string>} options
 * @param {(value: string) => void} onChoose
 */
function choice(label, current, options, onChoose) {
    const name = uniqueID();
    const id = uniqueID();
    return h("div", { class: "setting" }, h("span", { class: "setting-label", id }, label),
        h("div", { class: "segments", role: "radiogroup", "aria-labelledby": id },
            ...Object.entries(options).map(([value, words]) => h("label", { class: "segment" },
                h("input", { type: "radio", name, value, checked: value === current, onchange: () => onChoose(value) }),
                h("span", {}, words)))));
}

function shortcuts() {
    const id = uniqueID();
    const hint = uniqueID();
    return h("div", { class: "setting" },
        h("div", {}, h("label", { class: "setting-label", for: id }, t("settings.shortcuts")),
            h("p", { class: "setting-hint", id: hint }, t("settings.shortcuts.hint"))),
        h("input", {
            class: "switch", type: "checkbox", role: "switch", id, "aria-describedby": hint, checked: preferences.shortcuts(),
            onchange: (/** @type {Event} */ event) => {
                preferences.setShortcuts(/** @type {HTMLInputElement} */ (event.target).checked);
            },
        }));
}
