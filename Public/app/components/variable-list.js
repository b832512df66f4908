/** The person's environment variables: names can be seen, values only written. */
import "../later-words.js";
import { startSession, stopSession } from "../actions.js";
import { ApiError, call, sentence } from "../api.js";
import { h, fill, setText, uniqueID } from "../dom.js";
import { store } from "../store.js";
import { plural, t } from "../text.js";
import { ask } from "./dialog.js";
import { toast } from "./toast.js";

/** How long a session may take to stop before it is started again. */
const patience = 60_000;

export class VariableList extends HTMLElement {
    /** @type {string[]} */
    #names = [];
    #changed = false;
    #list = h("ul", { class: "variables", role: "list" });
    #restart = h("div", { class: "variables-restart", hidden: true });
    #name = h("input", {
        class: "input mono", id: uniqueID(), autocomplete: "off", autocapitalize: "characters", spellcheck: "false", placeholder: "API_KEY",
    });
    #value = h("input", { class: "input mono", id: uniqueID(), type: "password", autocomplete: "new-password" });
    #problem = h("p", { class: "problem", id: uniqueID(), hidden: true, role: "alert" });
    #busy = false;
    /** @type {(() => void) | null} */
    #end = null;

    connectedCallback() {
        this.hidden = true;
        this.#end = store.subscribe(() => this.#showRestart());
        if (this.childElementCount === 0) this.#build();
        void this.#load();
    }

    disconnectedCallback() {
        this.#end?.();
    }

    #build() {
        const title = uniqueID();
        const form = h("form", {
            class: "variables-add", novalidate: true, autocomplete: "off",
            onsubmit: (/** @type {Event} */ event) => {
                event.preventDefault();
                void this.#add();
            },
        },
        h("div", { class: "field" }, h("label", { for: this.#name.id }, t("settings.variables.name")), this.#name),
        h("div", { class: "field" }, h("label", { for: this.#value.id }, t("settings.variables.value")), this.#value),
        h("button", { class: "button", type: "submit" }, t("settings.variables.add")));
        this.append(h("section", { class: "panel", "aria-labelledby": title },
            h("h2", { class: "panel-title", id: title }, t("settings.variables")),
            h("p", { class: "setting-hint" }, t("settings.variables.hint")),
            this.#restart, this.#list, form, this.#problem));
        this.#name.addEventListener("input", () => {
            const at = this.#name.selectionStart;
            this.#name.value = this.#name.value.toUpperCase();
            this.#name.setSelectionRange(at, at);
        });
    }

    async #load() {
        try {
            const answer = await call("/api/user/secret");
            this.#names = answer.keys;
            this.hidden = false;
            this.#show();
        } catch (error) {
            // A router without this feature does not speak of it.
            if (error instanceof ApiError && error.kind === "missing") return;
            this.hidden = false;
            this.#complain(sentence(error), null);
        }
    }

    #show() {
        fill(this.#list, ...(this.#names.length > 0
            ? this.#names.map((name) => this.#row(name))
            : [h("li", { class: "variable setting-hint" }, t("settings.variables.none"))]));
        this.#showRestart();
    }

    /** @param {string} name */
    #row(name) {
        const value = h("input", {
            class: "input mono", type: "password", autocomplete: "new-password",
            "aria-label": t("settings.variables.replaceNamed", { name }),
        });
        const form = h("form", {
            class: "variable-edit", hidden: true, autocomplete: "off",
            onsubmit: async (/** @type {Event} */ event) => {
                event.preventDefault();
                if (await this.#save(name, value.value)) close();
            },
            onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && close(),
        }, value, h("button", { class: "button button-primary", type: "submit" }, t("settings.variables.save")),
        h("button", { class: "button", type: "button", onclick: () => close() }, t("action.cancel")));
        const edit = h("button", {
            class: "button button-small", type: "button", "aria-label": t("settings.variables.replaceNamed", { name }),
            onclick: () => {
                buttons.hidden = true;
                form.hidden = false;
                value.focus();
            },
        }, t("settings.variables.replace"));
        const remove = h("button", {
            class: "button button-small button-quiet", type: "button", "aria-label": t("settings.variables.deleteNamed", { name }),
            onclick: () => void this.#remove(name),
        }, t("settings.variables.delete"));
        const buttons = h("span", { class: "variable-buttons" }, edit, remove);
        function close() {
            value.value = "";
            form.hidden = true;
            buttons.hidden = false;
            edit.focus();
        }
        return h("li", { class: "variable" }, h("code", { class: "variable-name" }, name), buttons, form);
    }

    async #add() {
        const name = this.#name.value.trim();
        if (!/^[A-Z_][A-Z0-9_]*$/i.test(name)) return this.#complain(t("settings.variables.wrongName"), this.#name);
        if (await this.#save(name, this.#value.value)) {
            this.#name.value = "";
            this.#value.value = "";
            this.#name.focus();
        }
    }

    /**
     * @param {string} name
     * @param {string} value
     * @returns {Promise<boolean>}
     */
    async #save(name, value) {
        if (this.#busy) return false;
        if (value === "") {
            this.#complain(t("settings.variables.noValue"), this.#names.includes(name) ? null : this.#value);
            return false;
        }
        this.#busy = true;
        try {
            await call(`/api/user/secret/${encodeURIComponent(name)}`, { method: "PUT", body: { value } });
            this.#complain("", null);
            this.#changed = true;
            if (!this.#names.includes(name)) {
                this.#names = [...this.#names, name].sort();
                this.#show();
            }
            this.#showRestart();
            toast({ text: t("settings.variables.saved", { name }) });
            return true;
        } catch (error) {
            this.#complain(sentence(error), null);
            return false;
        } finally {
            this.#busy = false;
        }
    }

    /** @param {string} name */
    async #remove(name) {
        const yes = await ask({
            title: t("settings.variables.deleteTitle", { name }), text: [t("settings.variables.deleteText")],
            confirm: t("settings.variables.delete"), dangerous: true,
        });
        if (!yes) return;
        try {
            await call(`/api/user/secret/${encodeURIComponent(name)}`, { method: "DELETE" });
            this.#names = this.#names.filter((one) => one !== name);
            this.#changed = true;
            this.#show();
            this.#name.focus();
            toast({ text: t("settings.variables.deleted", { name }) });
        } catch (error) {
            this.#complain(sentence(error), null);
        }
    }

    /**
     * @param {string} words Empty means all is well.
     * @param {HTMLInputElement | null} field
     */
    #complain(words, field) {
        setText(this.#problem, words);
        this.#problem.hidden = words === "";
        for (const input of [this.#name, this.#value]) {
            input.removeAttribute("aria-invalid");
            input.removeAttribute("aria-describedby");
        }
        if (!field) return;
        field.setAttribute("aria-invalid", "true");
        field.setAttribute("aria-describedby", this.#problem.id);
        field.focus();
    }

    #running() {
        return [...store.state.sessions.values()].filter((session) => session.state === "running");
    }

    #showRestart() {
        const count = this.#running().length;
        this.#restart.hidden = !this.#changed || count === 0;
        if (this.#restart.hidden) return;
        fill(this.#restart, h("p", {}, plural("settings.restart", count)),
            h("button", { class: "button button-small", type: "button", onclick: () => void this.#restartAll() }, t("settings.restart")));
    }

    async #restartAll() {
        const sessions = this.#running();
        const yes = await ask({
            title: t("settings.restartTitle"), text: [t("settings.restartText")], confirm: t("settings.restart"), dangerous: true,
        });
        if (!yes) return;
        this.#changed = false;
        this.#showRestart();
        await Promise.all(sessions.map(async (session) => {
            if (await stopSession(session) && await stopped(session.hash)) {
                const now = store.state.sessions.get(session.hash);
                if (now) await startSession(now);
            }
        }));
    }
}

/**
 * Waits until the list says that a session has stopped.
 *
 * @param {string} hash
 * @returns {Promise<boolean>}
 */
function stopped(hash) {
    return new Promise((resolve) => {
        const look = () => {
            const session = store.state.sessions.get(hash);
            if (session && session.state !== "stopped") return;
            finish(session !== undefined);
        };
        const end = store.subscribe(look);
        const timer = window.setTimeout(() => finish(false), patience);
        /** @param {boolean} did */
        function finish(did) {
            end();
            window.clearTimeout(timer);
            resolve(did);
        }
        look();
    });
}

customElements.define("variable-list", VariableList);
