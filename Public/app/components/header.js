/** The top of every screen: where one is, and the ways elsewhere. */
import { h, fill } from "../dom.js";
import { store } from "../store.js";
import { t } from "../text.js";
import { icon } from "./icons.js";

/**
 * @param {string} here The route's name.
 * @returns {{element: HTMLElement, end: () => void}}
 */
export function header(here) {
    const links = h("nav", { class: "header-links" });
    const element = h("header", { class: "header" },
        h("a", { class: "brand", href: "/", "aria-label": `${t("app.name")}: ${t("nav.home")}` }, mark(),
            h("span", {}, t("app.name"))),
        links);
    let shownFor = "";

    function update() {
        const { me } = store.state;
        const state = me ? `${me.email} ${me.admin}` : "none";
        if (state === shownFor) return;
        shownFor = state;
        fill(links,
            me && h("span", { class: "header-email" }, me.email),
            me?.admin && link("/admin", "people", t("nav.admin"), here === "admin"),
            link("/settings", "sliders", t("nav.settings"), here === "settings"));
    }

    const end = store.subscribe(update);
    update();
    return { element, end };
}

/**
 * @param {string} href
 * @param {import("./icons.js").IconName} drawing
 * @param {string} label
 * @param {boolean} current
 */
function link(href, drawing, label, current) {
    return h("a", { class: "icon-button", href, "aria-label": label, title: label, "aria-current": current ? "page" : null },
        icon(drawing));
}

function mark() {
    return h("span", { class: "mark", "aria-hidden": "true" });
}
