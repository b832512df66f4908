/**
 * Server-sent events read with fetch. Unlike EventSource it sees why a connection was refused (an expired login, a
 * sign-in page) and notices, by the router's pings, a connection that died without a word.
 */
import { ask } from "./api.js";

/** The router pings every 15 s; three missing pings are a dead connection. */
const silenceLimit = 46_000;

/**
 * Reads events until the stream ends or is aborted; throws when it cannot be opened.
 *
 * @param {string} path
 * @param {object} handlers
 * @param {AbortSignal} handlers.signal
 * @param {() => void} [handlers.onOpen]
 * @param {(name: string, data: string) => void} handlers.onEvent
 */
export async function readEvents(path, { signal, onOpen, onEvent }) {
    const watch = new AbortController();
    const end = () => watch.abort();
    signal.addEventListener("abort", end, { once: true });
    let timer = window.setTimeout(end, silenceLimit);
    try {
        const response = await ask(path, "text/event-stream", { signal: watch.signal, timeout: 0 });
        onOpen?.();
        const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
        const decoder = new TextDecoder();
        const parser = new EventParser(onEvent);
        for (;;) {
            const { done, value } = await reader.read();
            if (done) return;
            window.clearTimeout(timer);
            timer = window.setTimeout(end, silenceLimit);
            parser.feed(decoder.decode(value, { stream: true }));
        }
    } catch (error) {
        // A stream that breaks is an ended stream; one that never opened is an error.
        if (watch.signal.aborted || !(error instanceof Error) || error.name === "TypeError") return;
        throw error;
    } finally {
        window.clearTimeout(timer);
        signal.removeEventListener("abort", end);
        watch.abort();
    }
}

/** Cuts a stream of text into events (HTML standard, "Interpreting an event stream"). */
export class EventParser {
    #rest = "";
    #name = "";
    /** @type {string[]} */
    #data = [];
    #onEvent;

    /** @param {(name: string, data: string) => void} onEvent */
    constructor(onEvent) {
        this.#onEvent = onEvent;
    }

    /** @param {string} text */
    feed(text) {
        let from = 0;
        for (;;) {
            const end = text.indexOf("\n", from);
            if (end < 0) break;
            const line = this.#rest + text.slice(from, end);
            this.#rest = "";
            from = end + 1;
            this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
        }
        this.#rest += text.slice(from);
    }

    /** @param {string} line */
    #line(line) {
        if (line === "") {
            if (this.#data.length > 0) this.#onEvent(this.#name || "message", this.#data.join("\n"));
            this.#name = "";
            this.#data = [];
            return;
        }
        const colon = line.indexOf(":");
        if (colon === 0) return;
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
        if (field === "event") this.#name = value;
        else if (field === "data") this.#data.push(value);
    }
}
