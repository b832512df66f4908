/** Calls to the router's API, with every way they can end told apart. */
import { store } from "./store.js";
import { t } from "./text.js";

/**
 * How a call failed: `refused` by the router with a reason, `missing` feature, `expired` login, `offline` or
 * `unavailable` (something between here and the router answered in its place).
 *
 * @typedef {"refused" | "missing" | "expired" | "offline" | "unavailable"} Kind
 */
export class ApiError extends Error {
    /**
     * @param {Kind} kind
     * @param {string} message A sentence for a person.
     * @param {number} [status]
     * @param {string} [code]
     * @param {string} [hint]
     */
    constructor(kind, message, status = 0, code = "", hint = "") {
        super(message);
        this.kind = kind;
        this.status = status;
        this.code = code;
        this.hint = hint;
    }
}

/**
 * @typedef {object} Options
 * @property {"GET" | "POST" | "PUT" | "DELETE"} [method]
 * @property {unknown} [body] Sent as JSON.
 * @property {number} [timeout] Milliseconds.
 * @property {AbortSignal} [signal]
 * @property {boolean} [tokenMayMiss] 401 then means "no repository token", not "not signed in".
 */

/**
 * Calls the API and answers with its JSON, or throws an ApiError.
 *
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function call(path, options = {}) {
    const response = await ask(path, "application/json", options);
    if (response.status === 204) return null;
    try {
        return await response.json();
    } catch {
        throw new ApiError("unavailable", t("error.unavailable"), response.status);
    }
}

/**
 * Asks for text, such as a log.
 *
 * @param {string} path
 * @param {Options} [options]
 */
export async function callText(path, options = {}) {
    return (await ask(path, "text/plain", options)).text();
}

/**
 * Sends a request and returns a good answer of the type asked for, or throws.
 *
 * @param {string} path
 * @param {"application/json" | "text/plain" | "text/event-stream"} type
 * @param {Options} options
 * @returns {Promise<Response>}
 */
export async function ask(path, type, options) {
    const { method = "GET", body, timeout = 30_000, signal, tokenMayMiss = false } = options;
    const limit = new AbortController();
    const cancel = () => limit.abort();
    signal?.addEventListener("abort", cancel, { once: true });
    const timer = timeout ? window.setTimeout(cancel, timeout) : 0;
    /** @type {Record<string, string>} */
    const headers = { Accept: type };
    // A change is always JSON, also without a body: that is what tells it from a form of another site.
    if (method !== "GET") headers["Content-Type"] = "application/json";
    /** @type {Response} */
    let response;
    try {
        response = await fetch(path, {
            method,
            headers,
            body: body === undefined ? (method === "POST" || method === "PUT" ? "{}" : undefined) : JSON.stringify(body),
            // A redirect of the API is a sign-in page.
            redirect: "manual",
            cache: type === "text/event-stream" ? "no-store" : "default",
            signal: limit.signal,
        });
    } catch {
        if (signal?.aborted) throw new DOMException("aborted", "AbortError");
        throw new ApiError("offline", t("error.offline"));
    } finally {
        window.clearTimeout(timer);
        if (type !== "text/event-stream") signal?.removeEventListener("abort", cancel);
    }
    if (response.ok && (response.status === 204 || contentType(response) === type)) return response;
    const error = await refusal(response, tokenMayMiss);
    if (error.kind === "expired") store.set({ connection: "expired" });
    throw error;
}

/** @param {Response} response */
function contentType(response) {
    return (response.headers.get("Content-Type") ?? "").split(";", 1)[0].trim().toLowerCase();
}

/**
 * What an answer that is not the wanted one means.
 *
 * @param {Response} response
 * @param {boolean} tokenMayMiss
 */
async function refusal(response, tokenMayMiss) {
    const { status } = response;
    const json = contentType(response) === "application/json";
    const html = contentType(response) === "text/html";
    if (response.type === "opaqueredirect" || (status === 401 && !(json && tokenMayMiss)) || (html && status < 500)) {
        return new ApiError("expired", t("error.expired"), status);
    }
    if (!json) return new ApiError("unavailable", t("error.unavailable"), status);
    /** @type {any} */
    let body = null;
    try {
        body = await response.json();
    } catch {
        // A cut answer is as good as none.
    }
    const code = typeof body?.code === "string" ? body.code : "";
    const message = typeof body?.error === "string" && body.error ? body.error : t("error.unavailable");
    const kind = status === 501 || status === 405 || (status === 404 && code === "not_found") ? "missing" : "refused";
    return new ApiError(kind, message, status, code, typeof body?.hint === "string" ? body.hint : "");
}

/**
 * Code that is fetched when it is needed; throws an ApiError when it cannot be had.
 *
 * @template T
 * @param {Promise<T>} module
 * @returns {Promise<T>}
 */
export function fetched(module) {
    return module.catch(() => {
        throw new ApiError("offline", t("error.offline"));
    });
}

/**
 * The sentence for whatever was thrown.
 *
 * @param {unknown} error
 */
export function sentence(error) {
    return error instanceof ApiError ? [error.message, error.hint].filter(Boolean).join(" ") : t("error.unknown");
}
