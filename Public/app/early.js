// Runs before the first paint, so that a chosen theme and language never flash. Everything else is a module.
(() => {
    "use strict";
    const root = document.documentElement;
    try {
        const theme = localStorage.getItem("theme");
        if (theme === "light" || theme === "dark") root.dataset.theme = theme;
        const language = localStorage.getItem("language") || navigator.language || "en";
        root.lang = language.toLowerCase().startsWith("de") ? "de" : "en";
    } catch {
        // Storage can be forbidden; the page then follows the system.
    }
})();
