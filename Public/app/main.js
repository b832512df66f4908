/** Puts the page together and keeps it at the screen that the address names. */
import { mountAnnouncer } from "./announce.js";
import { call } from "./api.js";
import { banner } from "./components/banner.js";
import { header } from "./components/header.js";
import { mountToasts, toast } from "./components/toast.js";
import { h, withStyles } from "./dom.js";
import { goLive } from "./live.js";
import { onRoute, routeOf, startRouting } from "./routes.js";
import { store } from "./store.js";
import { applyLanguage, t } from "./text.js";
import { home } from "./views/home.js";

/** @typedef {(outlet: HTMLElement, route: any) => () => void} View */

/**
 * The screens that the first paint does not need come when they are asked for.
 *
 * @type {Record<string, () => View | Promise<View>>}
 */
const views = {
    home: () => home,
    session: async () => (await withStyles(import("./views/starting.js"), "starting", "panels")).starting,
    settings: async () => (await withStyles(import("./views/settings.js"), "settings")).settings,
    admin: async () => (await withStyles(import("./views/admin.js"), "settings")).admin,
    missing: async () => (await withStyles(import("./views/missing.js"), "starting")).missing,
};

/** The document brings the frame along, so that something stands there before the first module has come. */
const page = /** @type {HTMLElement} */ (document.querySelector(".page"));
let endView = () => {};
let showing = 0;

async function show() {
    const route = routeOf(new URL(location.href));
    showing += 1;
    const mine = showing;
    /** @type {View} */
    let view;
    try {
        // Home is there already; waiting for it would cost a frame.
        const chosen = views[route.name]();
        view = chosen instanceof Promise ? await chosen : chosen;
    } catch {
        toast({ text: t("error.screen"), kind: "error", action: { label: t("action.tryAgain"), run: () => location.reload() } });
        return;
    }
    if (mine !== showing) return;
    endView();
    window.dispatchEvent(new Event("screenchange"));
    const outlet = h("main", { class: `main main-${route.name}`, id: "main", tabindex: "-1" });
    const top = header(route.name);
    const skip = h("a", { class: "skip", href: "#main" }, t("app.skip"));
    page.replaceChildren(skip, top.element, outlet);
    window.scrollTo(0, 0);
    const end = view(outlet, route);
    // A new screen begins at its beginning, also for whoever does not see it.
    if (mine > 1 && !outlet.contains(document.activeElement)) outlet.focus({ preventScroll: true });
    endView = () => {
        end();
        top.end();
    };
}

async function loadMe() {
    for (let delay = 1000; ; delay = Math.min(delay * 2, 30_000)) {
        try {
            store.set({ me: await call("/api/me") });
            return;
        } catch {
            await new Promise((resolve) => {
                window.setTimeout(resolve, delay);
            });
        }
    }
}

await applyLanguage();
document.body.append(banner());
mountAnnouncer();
mountToasts();
startRouting();
onRoute(() => void show());
window.addEventListener("languagechosen", () => void applyLanguage().then(show));
void show();
void loadMe();
goLive();
// What comes next should not have to be waited for.
const idle = window.requestIdleCallback ?? window.setTimeout;
idle(() => {
    // What cannot be had now is asked for again when it is needed.
    void Promise.resolve(views.session()).catch(() => {});
    import("./components/session-menu.js").catch(() => {});
});
