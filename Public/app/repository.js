/** Repository addresses and branch names as people type them. */

/**
 * The address to send: `owner/name` means GitHub, an SSH address becomes its https twin, the rest stays as typed.
 *
 * @param {string} typed
 */
export function repositoryAddress(typed) {
    const text = typed.trim();
    const short = /^([A-Za-z0-9][\w.-]*)\/([\w.-]+)$/.exec(text);
    // `host.name/path` would be an address whose scheme was forgotten, not an owner.
    if (short && !/\.(com|org|net|io|dev|de)$/i.test(short[1])) return `https://github.com/${short[1]}/${short[2]}`;
    const ssh = /^(?:ssh:\/\/)?git@([\w.-]+)[:/](?!\d+\/)(.+)$/.exec(text);
    if (ssh) return `https://${ssh[1]}/${ssh[2]}`;
    if (/^[\w-]+(\.[\w-]+)+\/\S+$/.test(text)) return `https://${text}`;
    return text;
}

/**
 * Whether an address can be a repository's at all; the router decides the rest.
 *
 * @param {string} address
 */
export function isRepositoryAddress(address) {
    try {
        const url = new URL(address);
        return /^[a-z][a-z0-9+.-]*:$/.test(url.protocol) && (url.pathname.length > 1 || url.protocol === "file:");
    } catch {
        return false;
    }
}

/**
 * The short name: `owner/name` on GitHub, `host/owner/name` elsewhere.
 *
 * @param {string} address
 */
export function repositoryName(address) {
    try {
        const url = new URL(address);
        const path = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, "").replace(/\.git$/, "");
        return url.hostname === "github.com" || !url.host ? path : `${url.host}/${path}`;
    } catch {
        return address;
    }
}

/**
 * Whether git would take the name for a branch (git-check-ref-format).
 *
 * @param {string} name
 */
export function isBranchName(name) {
    return name.length > 0 && name.length <= 200 && name !== "@" && !name.startsWith("-")
        && !/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^\/|\/$|\.$/.test(name)
        && name.split("/").every((part) => !part.startsWith(".") && !part.endsWith(".lock"));
}

const first = ["amber", "brave", "calm", "clear", "daring", "early", "fresh", "gentle", "keen", "lively", "mellow",
    "nimble", "open", "quiet", "rapid", "sunny", "tidy", "vivid", "warm", "witty"];
const second = ["badger", "brook", "cedar", "comet", "falcon", "fern", "harbor", "heron", "island", "lantern", "maple",
    "meadow", "otter", "pebble", "river", "robin", "spruce", "thistle", "willow", "wren"];

/** A friendly branch name, for when the router suggests none. */
export function inventBranch() {
    const [one, two, three] = crypto.getRandomValues(new Uint16Array(3));
    return `${first[one % first.length]}-${second[two % second.length]}-${(three % 90) + 10}`;
}
