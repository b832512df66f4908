/** What happens to idle sessions here, and the person's own wish within it. */
import "../later-words.js";
import { h, uniqueID } from "../dom.js";
import { idleMinutes, setIdleMinutes } from "../preferences.js";
import { t } from "../text.js";

/**
 * @param {Record<string, number | null>} limits As `/api/me` tells them.
 * @returns {HTMLElement | null} Nothing where sessions do not stop by themselves.
 */
export function idleSettings(limits) {
    const minutes = limits.idleTimeoutMinutes;
    const max = limits.maximumIdleTimeoutMinutes;
    if (!minutes) return null;
    const title = uniqueID();
    const own = uniqueID();
    const id = uniqueID();
    const mine = idleMinutes();
    const number = h("input", {
        class: "input input-short", id, type: "number", min: 1, max: max ?? null, step: 1,
        value: Math.min(mine ?? minutes, max ?? Infinity),
        disabled: mine === null, onchange: keep,
    });
    const box = h("input", { class: "switch", type: "checkbox", role: "switch", id: own, checked: mine !== null, onchange: keep });
    function keep() {
        number.disabled = !box.checked;
        if (!box.checked) setIdleMinutes(null);
        else if (number.reportValidity() && number.value) setIdleMinutes(Number(number.value));
    }
    return h("section", { class: "panel", "aria-labelledby": title },
        h("h2", { class: "panel-title", id: title }, t("settings.idle")),
        h("p", { class: "setting-hint" }, t("settings.idle.hint", { minutes })),
        max ? h("div", { class: "setting" }, h("label", { class: "setting-label", for: own }, t("settings.idle.own")), box) : null,
        max ? h("div", { class: "setting" },
            h("label", { class: "setting-label", for: id }, t("settings.idle.minutes", { max })), number) : null);
}
