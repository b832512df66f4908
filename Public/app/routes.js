/** Which screen an address means, and moving between them without loading the page again. */

/**
 * @typedef {{name: "home", parameters: URLSearchParams}
 *   | {name: "session", hash: string, parameters: URLSearchParams}
 *   | {name: "settings"} | {name: "admin"} | {name: "missing"}} Route
 */

/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * The screen of an address.
 *
 * @param {Location | URL} address
 * @returns {Route}
 */
export function routeOf(address) {
    const path = address.pathname;
    const parameters = new URLSearchParams(address.search);
    if (path === "/" || path === "/index.html") return { name: "home", parameters };
    const session = /^\/session\/([0-9a-f]{12})\/?$/.exec(path);
    if (session) return { name: "session", hash: session[1], parameters };
    if (path === "/settings") return { name: "settings" };
    if (path === "/admin") return { name: "admin" };
    return { name: "missing" };
}

/** @param {() => void} listener */
export function onRoute(listener) {
    listeners.add(listener);
}

/**
 * Goes to one of our screens.
 *
 * @param {string} path
 */
export function go(path) {
    history.pushState(null, "", path);
    for (const listener of listeners) listener();
}

/** Takes over plain clicks on links to our own screens, and the browser's back and forward. */
export function startRouting() {
    window.addEventListener("popstate", () => {
        for (const listener of listeners) listener();
    });
    document.addEventListener("click", (event) => {
        if (event.defaultPrevented || event.button !== 0) return;
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        const link = event.target instanceof Element ? event.target.closest("a") : null;
        if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
        if (routeOf(new URL(link.href)).name === "missing" || new URL(link.href).hash) return;
        event.preventDefault();
        go(link.pathname + link.search);
    });
}
