/** The line above everything that says when the page cannot be trusted: no connection, no sign-in. */
import { announce } from "../announce.js";
import { h, fill } from "../dom.js";
import { reconnectNow } from "../live.js";
import { store } from "../store.js";
import { t } from "../text.js";

/** A gap shorter than this is not worth a word: routers restart. */
const patience = 2500;

/** @returns {HTMLElement} */
export function banner() {
    const element = h("div", { class: "banner", hidden: true, role: "alert" });
    /** @type {number | undefined} */
    let timer;
    /** @type {"none" | "lost" | "expired" | "offline"} */
    let shown = "none";

    function update() {
        const { connection } = store.state;
        if (connection === "expired") show("expired");
        else if (connection === "live") show("none");
        else if (!navigator.onLine) show("offline");
        else if (shown === "expired") show("lost");
        else if (shown === "none" && timer === undefined) timer = window.setTimeout(() => show("lost"), patience);
    }

    /** @param {"none" | "lost" | "expired" | "offline"} kind */
    function show(kind) {
        window.clearTimeout(timer);
        timer = undefined;
        if (kind === shown) return;
        const before = shown;
        shown = kind;
        element.hidden = kind === "none";
        document.documentElement.classList.toggle("disconnected", kind !== "none");
        if (kind === "none") {
            if (before !== "none") announce(t("connection.back"));
        } else if (kind === "expired") {
            fill(element,
                h("p", {}, h("strong", {}, t("expired.title")), " ", t("expired.text")),
                // Loading the page again meets the sign-in in front of us, which leads back to this address.
                h("button", { class: "button button-primary", type: "button", onclick: () => location.reload() },
                    t("expired.action")));
        } else {
            const seen = store.state.seenAt;
            const time = seen === null ? null : new Date(seen).toLocaleTimeString(document.documentElement.lang);
            const words = time === null
                ? t("connection.lost")
                : t(kind === "offline" ? "connection.offline" : "connection.lostSince", { time });
            fill(element,
                h("p", {}, words),
                h("button", { class: "button", type: "button", onclick: reconnectNow }, t("connection.now")));
        }
    }

    store.subscribe(update);
    window.addEventListener("offline", update);
    window.addEventListener("online", update);
    update();
    return element;
}
