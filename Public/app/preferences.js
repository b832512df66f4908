/** What this browser remembers: theme, language, shortcuts and the unfinished form. */

/**
 * @param {Storage | null} storage
 * @param {string} key
 * @returns {string | null}
 */
function read(storage, key) {
    try {
        return storage?.getItem(key) ?? null;
    } catch {
        return null;
    }
}

/**
 * @param {Storage | null} storage
 * @param {string} key
 * @param {string | null} value
 */
function write(storage, key, value) {
    try {
        if (value === null) storage?.removeItem(key);
        else storage?.setItem(key, value);
    } catch {
        // Forbidden or full: the choice then lasts as long as the page.
    }
}

/** @param {"localStorage" | "sessionStorage"} name */
function storage(name) {
    try {
        return window[name];
    } catch {
        return null;
    }
}

const lasting = storage("localStorage");
const passing = storage("sessionStorage");

/** @returns {"system" | "light" | "dark"} */
export function theme() {
    const value = document.documentElement.dataset.theme;
    return value === "light" || value === "dark" ? value : "system";
}

/** @param {string} value `system`, `light` or `dark` */
export function setTheme(value) {
    const chosen = value === "light" || value === "dark" ? value : null;
    if (chosen) document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
    write(lasting, "theme", chosen);
}

/** @returns {"en" | "de"} */
export function language() {
    const chosen = read(lasting, "language") ?? navigator.language ?? "en";
    return chosen.toLowerCase().startsWith("de") ? "de" : "en";
}

/** The language that was chosen here, or `system`. */
export function chosenLanguage() {
    const chosen = read(lasting, "language");
    return chosen === "en" || chosen === "de" ? chosen : "system";
}

/** @param {string} value `system`, `en` or `de` */
export function setLanguage(value) {
    write(lasting, "language", value === "en" || value === "de" ? value : null);
}

/** Whether single keys do things (WCAG 2.1.4 wants them to be switched off on wish). */
export function shortcuts() {
    return read(lasting, "shortcuts") !== "off";
}

/** @param {boolean} on */
export function setShortcuts(on) {
    write(lasting, "shortcuts", on ? null : "off");
}

/**
 * The form as it was left, so that signing in again loses nothing.
 *
 * @returns {Record<string, string>}
 */
export function draft() {
    try {
        const value = JSON.parse(read(passing, "draft") ?? "{}");
        return value && typeof value === "object" ? value : {};
    } catch {
        return {};
    }
}

/** @param {Record<string, string> | null} value */
export function setDraft(value) {
    write(passing, "draft", value ? JSON.stringify(value) : null);
}

/** After how many idle minutes sessions started here stop; null leaves it to the installation. */
export function idleMinutes() {
    const minutes = Number(read(lasting, "idleMinutes"));
    return Number.isInteger(minutes) && minutes > 0 ? minutes : null;
}

/** @param {number | null} minutes */
export function setIdleMinutes(minutes) {
    write(lasting, "idleMinutes", minutes === null ? null : String(minutes));
}
