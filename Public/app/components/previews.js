/** The panel with what listens in a session: open it, and decide who else may. */
import "../later-words.js";
import { announce } from "../announce.js";
import { ApiError, call, sentence } from "../api.js";
import { h, fill, setText, uniqueID, webAddress } from "../dom.js";
import { repositoryOf } from "../sessions.js";
import { t } from "../text.js";
import { exact, moment, relative } from "../time.js";
import { showPanel } from "./dialog.js";

/**
 * @typedef {import("../types.js").Port} Port
 * @typedef {import("../types.js").Visibility} Visibility
 */

/** How often the router is asked what has begun to listen, while somebody looks. */
const pace = 4000;
/** @type {Visibility[]} */
const visibilities = ["owner", "signed-in", "public"];
/** Minutes; 0 is until it is taken back. */
const times = /** @type {const} */ ([60, 480, 1440, 10080, 0]);

/**
 * Shows the panel until it is closed.
 *
 * @param {import("../types.js").Session} session
 */
export async function show(session) {
    const panel = new Previews(session.hash);
    void panel.follow();
    await showPanel(t("ports.title"), `${repositoryOf(session)} · ${session.branch}`, panel.element);
    panel.end();
}

class Previews {
    #path;
    #life = new AbortController();
    /** @type {Map<number, PortRow>} */
    #rows = new Map();
    /** @type {Port[]} */
    #told = [];
    /**
     * Named by hand: shown although nothing listens there yet.
     *
     * @type {Map<number, Port>}
     */
    #named = new Map();
    #list = h("ul", { class: "ports", role: "list", hidden: true });
    #note = h("p", { class: "ports-note", role: "status" }, t("ports.loading"));
    #number = h("input", {
        class: "input", type: "number", min: 1024, max: 65535, step: 1, required: true, id: uniqueID(), inputmode: "numeric",
    });
    #problem = h("p", { class: "problem", id: uniqueID(), hidden: true });
    element;

    /** @param {string} hash */
    constructor(hash) {
        this.#path = `/api/sessions/${hash}/ports`;
        this.#number.addEventListener("input", () => this.#complain(""));
        this.element = h("div", { class: "previews" }, this.#list, this.#note,
            h("form", { class: "ports-add", novalidate: true, onsubmit: (/** @type {Event} */ event) => void this.#add(event) },
                h("div", { class: "field" }, h("label", { for: this.#number.id }, t("ports.other")), this.#number),
                h("button", { class: "button", type: "submit" }, t("ports.add")), this.#problem));
    }

    async follow() {
        while (!this.#life.signal.aborted) {
            try {
                const answer = await call(this.#path, { signal: this.#life.signal });
                this.#told = Array.isArray(answer.details) ? answer.details : [];
                this.#show();
            } catch (error) {
                if (this.#life.signal.aborted) return;
                const missing = error instanceof ApiError && error.kind === "missing";
                setText(this.#note, missing ? t("ports.missing") : sentence(error));
                if (missing) return;
            }
            await new Promise((resolve) => {
                window.setTimeout(resolve, pace);
            });
        }
    }

    end() {
        this.#life.abort();
    }

    #show() {
        for (const port of this.#told) this.#named.delete(port.port);
        const all = [...this.#told, ...this.#named.values()].sort((one, other) => one.port - other.port);
        const numbers = new Set(all.map((port) => port.port));
        for (const [number, row] of this.#rows) {
            if (numbers.has(number) || row.isBusy) continue;
            row.element.remove();
            this.#rows.delete(number);
        }
        for (const port of all) {
            const known = this.#rows.get(port.port);
            if (known) known.update(port);
            else {
                const row = new PortRow(this.#path, port);
                const next = [...this.#rows.values()].filter((one) => one.port.port > port.port)
                    .sort((one, other) => one.port.port - other.port.port)[0];
                this.#list.insertBefore(row.element, next?.element ?? null);
                this.#rows.set(port.port, row);
            }
        }
        this.#list.hidden = this.#rows.size === 0;
        setText(this.#note, this.#rows.size === 0 ? t("ports.none") : "");
    }

    /** @param {Event} event */
    async #add(event) {
        event.preventDefault();
        const number = this.#number.valueAsNumber;
        if (!this.#number.checkValidity()) return this.#complain(t("ports.wrong"));
        if (!this.#rows.has(number)) {
            try {
                // What nobody shares is the owner's alone already: this only asks for the address.
                this.#named.set(number, await call(`${this.#path}/${number}`, { method: "DELETE" }));
                this.#show();
            } catch (error) {
                return this.#complain(sentence(error));
            }
        }
        this.#number.value = "";
        this.#rows.get(number)?.focus();
    }

    /** @param {string} words Empty means none. */
    #complain(words) {
        setText(this.#problem, words);
        this.#problem.hidden = words === "";
        if (words) {
            this.#number.setAttribute("aria-invalid", "true");
            this.#number.setAttribute("aria-describedby", this.#problem.id);
            this.#number.focus();
        } else this.#number.removeAttribute("aria-invalid");
    }
}

/** One port, with the form that changes who may reach it. */
class PortRow {
    #path;
    #link = h("a", { class: "port-link", target: "_blank", rel: "noopener" });
    #state = h("p", { class: "port-state" });
    #change = h("button", { class: "button button-small", type: "button", "aria-expanded": "false", onclick: () => this.#toggle() });
    #form = h("form", { class: "port-form", hidden: true, onsubmit: (/** @type {Event} */ event) => void this.#send(event) });
    #choices = /** @type {Record<Visibility, HTMLInputElement>} */ ({});
    #until = h("select", { class: "input", id: uniqueID() });
    #untilField = h("div", { class: "field" }, h("label", { for: this.#until.id }, t("ports.until")), this.#until);
    #warning = h("p", { class: "port-warning", role: "alert" });
    #save = h("button", { class: "button", type: "submit" });
    #sending = false;
    /** @type {Port} */
    port;
    element;

    /**
     * @param {string} path
     * @param {Port} port
     */
    constructor(path, port) {
        this.#path = path;
        this.port = port;
        const name = uniqueID();
        const label = uniqueID();
        const choices = visibilities.map((visibility) => {
            const input = h("input", { type: "radio", name, value: visibility, onchange: () => this.#chosen() });
            this.#choices[visibility] = input;
            return h("label", { class: "port-choice" }, input, h("span", {}, h("strong", {}, t(`ports.${visibility}`)), " ",
                h("span", {}, t(`ports.${visibility}.hint`))));
        });
        for (const minutes of times) this.#until.append(h("option", { value: minutes }, t(`ports.until.${minutes}`)));
        this.#form.append(
            h("div", { role: "radiogroup", "aria-labelledby": label },
                h("p", { class: "port-form-title", id: label }, t("ports.who", { port: port.port })), ...choices),
            this.#untilField, this.#warning,
            h("div", { class: "dialog-buttons" },
                h("button", { class: "button button-quiet", type: "button", onclick: () => this.#toggle() }, t("action.cancel")),
                this.#save));
        setText(this.#change, t("ports.change"));
        this.#change.setAttribute("aria-label", t("ports.changeNamed", { port: port.port }));
        this.element = h("li", { class: "port" },
            h("div", { class: "port-line" }, h("div", { class: "port-main" }, this.#link, this.#state), this.#change), this.#form);
        this.update(port);
    }

    /** Whether somebody is deciding about it. */
    get isBusy() {
        return !this.#form.hidden;
    }

    focus() {
        this.#link.focus();
    }

    /** @param {Port} port */
    update(port) {
        this.port = port;
        const address = webAddress(port.url);
        if (address) this.#link.href = address;
        fill(this.#link, h("span", { class: "port-number" }, String(port.port)), " ", h("span", { class: "port-host" },
            address ? new URL(address).host : ""), h("span", { class: "visually-hidden" }, ` ${t("ports.newTab")}`));
        const ends = moment(port.expiresAt);
        this.element.dataset.visibility = port.visibility;
        setText(this.#state, [
            t(`ports.${port.visibility}`),
            port.visibility !== "owner" && (ends === null ? t("ports.forever") : t("ports.ends", { time: relative(ends) })),
            !port.detected && t("ports.silent"),
        ].filter(Boolean).join(" · "));
        this.#state.title = ends === null ? "" : exact(ends);
    }

    #toggle() {
        this.#form.hidden = !this.#form.hidden;
        this.#change.setAttribute("aria-expanded", String(!this.#form.hidden));
        if (this.#form.hidden) return this.#change.focus();
        this.#choices[this.port.visibility].checked = true;
        this.#until.value = String(times[0]);
        this.#chosen();
        this.#choices[this.port.visibility].focus();
    }

    /** @returns {Visibility} */
    get #choice() {
        return visibilities.find((visibility) => this.#choices[visibility].checked) ?? "owner";
    }

    #chosen() {
        const choice = this.#choice;
        this.#untilField.hidden = choice === "owner";
        setText(this.#warning, choice === "public" ? t("ports.public.warning") : "");
        this.#warning.hidden = choice !== "public";
        this.#save.className = choice === "public" ? "button button-danger" : "button button-primary";
        setText(this.#save, t(choice === "public" ? "ports.public.confirm" : "ports.save"));
    }

    /** @param {Event} event */
    async #send(event) {
        event.preventDefault();
        if (this.#sending) return;
        this.#sending = true;
        const visibility = this.#choice;
        const minutes = Number(this.#until.value);
        try {
            const path = `${this.#path}/${this.port.port}`;
            const port = visibility === "owner"
                ? await call(path, { method: "DELETE" })
                : await call(path, { method: "PUT", body: { visibility, ...(minutes ? { expiresInMinutes: minutes } : {}) } });
            this.update(port);
            this.#toggle();
            announce(`${port.port}: ${this.#state.textContent}`);
        } catch (error) {
            setText(this.#warning, sentence(error));
            this.#warning.hidden = false;
        } finally {
            this.#sending = false;
        }
    }
}
