/** The first screen: start something, or go on with something. */
import { SessionComposer } from "../components/composer.js";
import { SessionList } from "../components/session-list.js";
import { h, setText } from "../dom.js";
import { shortcuts } from "../preferences.js";
import { store } from "../store.js";
import { t } from "../text.js";

/**
 * @param {HTMLElement} outlet
 * @param {Extract<import("../routes.js").Route, {name: "home"}>} route
 * @returns {() => void} Takes the screen away.
 */
export function home(outlet, route) {
    const greeting = h("h1", { class: "greeting" }, t("home.welcome"));
    const composer = new SessionComposer();
    const list = new SessionList();
    outlet.append(greeting, composer, list);
    composer.prefill(route.parameters);
    // A link with a prefilled form is used once; going back later must not fill it again.
    if (route.parameters.toString()) history.replaceState(null, "", "/");
    if (matchMedia("(pointer: fine) and (min-width: 40rem)").matches) composer.start();

    const greet = () => {
        const { me } = store.state;
        if (me) setText(greeting, words(me.email));
    };
    greet();

    /** @param {KeyboardEvent} event */
    function onKey(event) {
        if (!shortcuts() || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
        const target = event.target instanceof Element ? event.target : null;
        if (target?.closest("input, textarea, select, dialog, [role=menu]")) return;
        if (event.key === "/") composer.start();
        else if (event.key !== "f" || !list.focusFilter()) return;
        event.preventDefault();
    }

    const end = store.subscribe(greet);
    document.addEventListener("keydown", onKey);
    document.title = t("app.name");
    return () => {
        end();
        document.removeEventListener("keydown", onKey);
    };
}

/**
 * The greeting for the hour.
 *
 * @param {string} email
 */
function words(email) {
    const name = nameOf(email);
    const hour = new Date().getHours();
    if (hour >= 5 && hour < 11) return t("home.morning", { name });
    if (hour >= 18 || hour < 5) return t("home.evening", { name });
    return t("home.day", { name });
}

/**
 * What to call somebody of whom only the address is known.
 *
 * @param {string} email
 */
function nameOf(email) {
    const local = email.split("@", 1)[0];
    const first = local.split(/[._+-]/, 1)[0];
    const name = first.length > 1 ? first : local;
    return name.charAt(0).toUpperCase() + name.slice(1);
}
