/**
 * Makes elements. Text only ever becomes a text node, never markup.
 *
 * @typedef {Node | string | number | null | undefined | false} Child
 */

/**
 * Makes an HTML element: `h("a", {class: "row", href: url, onclick: open}, "Open")`.
 *
 * A property beginning with `on` is a listener; `true` makes an empty attribute; null, undefined and false leave it out.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else element.setAttribute(name, value === true ? "" : String(value));
    }
    append(element, children);
    return element;
}

/**
 * Adds children, leaving out the empty ones.
 *
 * @param {Element} element
 * @param {Child[]} children
 */
export function append(element, children) {
    for (const child of children) {
        if (child === null || child === undefined || child === false) continue;
        element.append(child instanceof Node ? child : String(child));
    }
}

/**
 * Replaces what is in an element.
 *
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
    element.replaceChildren();
    append(element, children);
}

/**
 * Sets the text only when it differs, so that nothing is laid out again for nothing.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

/**
 * Sets or removes an attribute only when it differs.
 *
 * @param {Element} element
 * @param {string} name
 * @param {string | null} value
 */
export function setAttribute(element, name, value) {
    if (element.getAttribute(name) === value) return;
    if (value === null) element.removeAttribute(name);
    else element.setAttribute(name, value);
}

let lastID = 0;

/** A document-wide unique id, for labels and descriptions. */
export function uniqueID() {
    lastID += 1;
    return `id-${lastID}`;
}

/**
 * An address that is safe to follow, or null: only http and https.
 *
 * @param {string | null | undefined} address
 * @returns {string | null}
 */
export function webAddress(address) {
    if (!address) return null;
    try {
        const url = new URL(address, location.href);
        return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
    } catch {
        return null;
    }
}

/**
 * Style sheets that the first screen does not need, by name, as they come.
 *
 * @type {Map<string, Promise<unknown>>}
 */
const styles = new Map();

/**
 * A module once its style sheets are there, too; a sheet that cannot be had is asked for again the next time.
 *
 * @template T
 * @param {Promise<T>} module
 * @param {...string} names Files of `styles/`, without ending.
 * @returns {Promise<T>}
 */
export async function withStyles(module, ...names) {
    const sheets = names.map((name) => {
        const known = styles.get(name);
        if (known) return known;
        const link = h("link", { rel: "stylesheet", href: `/styles/${name}.css` });
        const coming = new Promise((resolve, reject) => {
            link.onload = resolve;
            link.onerror = () => {
                styles.delete(name);
                link.remove();
                reject(new Error(`${link.href} could not be loaded`));
            };
        });
        styles.set(name, coming);
        document.head.append(link);
        return coming;
    });
    return (await Promise.all([module, ...sheets]))[0];
}
