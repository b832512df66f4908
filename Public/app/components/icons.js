/** The few drawings of the page, made as elements: 16 units square, stroked in the text's colour. */

const paths = {
    branch: "M4.5 5.5v5M4.5 5.5a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5ZM4.5 14a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5Z"
        + "M11.5 6.5a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5ZM11.5 6.5c0 2.5-2.5 3-4.5 3.2",
    chevron: "M4.5 6.5 8 10l3.5-3.5",
    check: "M3.5 8.5 6.5 11.5 12.5 4.5",
    close: "M4 4l8 8M12 4l-8 8",
    cross: "M4.5 4.5l7 7M11.5 4.5l-7 7",
    sliders: "M2.5 5h5.25M11.75 5h1.75M2.5 11h1.75M8.25 11h5.25M9.75 7a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM6.25 13a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
    more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
    people: "M6 7.5a2.25 2.25 0 1 0 0-4.5 2.25 2.25 0 0 0 0 4.5ZM2 13c0-2.2 1.8-3.5 4-3.5s4 1.3 4 3.5M10.5 3.3a2.1 2.1 0 0 1 0 4"
        + "M11.8 9.8c1.4.4 2.2 1.5 2.2 3.2",
    play: "M5 3.5v9l7-4.5z",
    refresh: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v2.6h-2.6",
    search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.4 10.4 13.5 13.5",
    stop: "M4.5 4.5h7v7h-7z",
    back: "M9.5 3.5 5 8l4.5 4.5",
};

/** @typedef {keyof typeof paths} IconName */

const namespace = "http://www.w3.org/2000/svg";

/**
 * A drawing; it is decoration, the words beside it or on its button carry the meaning.
 *
 * @param {IconName} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
    const svg = document.createElementNS(namespace, "svg");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("class", `icon icon-${name}`);
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(namespace, "path");
    path.setAttribute("d", paths[name]);
    svg.append(path);
    return svg;
}
