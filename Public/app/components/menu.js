/** A menu at a button: arrows move, Enter chooses, Escape and a click elsewhere close. */
import { h } from "../dom.js";

/**
 * @typedef {object} Item
 * @property {string} label
 * @property {() => void} [run]
 * @property {string} [href] Makes it a link that opens in a new tab.
 * @property {boolean} [dangerous]
 * @property {boolean} [apart] Draws a line above it.
 */

/** @type {(() => void) | null} */
let closeOpen = null;

/**
 * Opens a menu below its button.
 *
 * @param {HTMLElement} button
 * @param {string} label
 * @param {Item[]} items
 */
export function openMenu(button, label, items) {
    const wasMine = button.getAttribute("aria-expanded") === "true";
    closeOpen?.();
    if (wasMine) return;
    const elements = items.map((item) => {
        const properties = {
            role: "menuitem", tabindex: "-1", class: `menu-item${item.dangerous ? " menu-danger" : ""}${item.apart ? " menu-apart" : ""}`,
            onclick: () => {
                close(true);
                item.run?.();
            },
        };
        return item.href
            ? h("a", { ...properties, href: item.href, target: "_blank", rel: "noopener" }, item.label)
            : h("button", { ...properties, type: "button" }, item.label);
    });
    const menu = h("div", { class: "menu", role: "menu", "aria-label": label, onkeydown: onKey }, ...elements);

    /** @param {boolean} refocus */
    function close(refocus) {
        menu.remove();
        button.setAttribute("aria-expanded", "false");
        document.removeEventListener("pointerdown", onPointer, true);
        window.removeEventListener("resize", onResize);
        window.removeEventListener("scroll", onScroll, true);
        closeOpen = null;
        if (refocus && button.isConnected) button.focus();
    }
    const onResize = () => close(false);
    const onScroll = () => place();
    /** @param {Event} event */
    function onPointer(event) {
        if (event.target instanceof Node && (menu.contains(event.target) || button.contains(event.target))) return;
        close(false);
    }
    /** @param {KeyboardEvent} event */
    function onKey(event) {
        const index = elements.indexOf(/** @type {any} */ (document.activeElement));
        const last = elements.length - 1;
        /** @type {Record<string, () => number>} */
        const moves = {
            ArrowDown: () => (index >= last ? 0 : index + 1),
            ArrowUp: () => (index <= 0 ? last : index - 1),
            Home: () => 0,
            End: () => last,
        };
        if (event.key in moves) elements[moves[event.key]()].focus();
        else if (event.key === "Escape") close(true);
        else if (event.key === "Tab") return close(true);
        else if (event.key.length === 1 && event.key !== " ") {
            const found = elements.find((element) => element.textContent?.toLowerCase().startsWith(event.key.toLowerCase()));
            found?.focus();
        } else return;
        event.preventDefault();
        event.stopPropagation();
    }
    function place() {
        if (!button.isConnected) return close(false);
        const anchor = button.getBoundingClientRect();
        const size = menu.getBoundingClientRect();
        const below = anchor.bottom + 6;
        const fits = below + size.height < window.innerHeight - 8;
        menu.style.top = `${Math.max(8, fits ? below : anchor.top - 6 - size.height)}px`;
        menu.style.left = `${Math.max(8, Math.min(anchor.right - size.width, window.innerWidth - size.width - 8))}px`;
    }

    button.setAttribute("aria-expanded", "true");
    // Within the main part, so that it belongs to a landmark.
    (document.querySelector("main") ?? document.body).append(menu);
    place();
    elements[0]?.focus({ preventScroll: true });
    document.addEventListener("pointerdown", onPointer, true);
    window.addEventListener("resize", onResize);
    window.addEventListener("scroll", onScroll, true);
    closeOpen = () => close(false);
}

// The screen that it belongs to goes away.
window.addEventListener("screenchange", () => closeOpen?.());
