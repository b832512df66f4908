/**
 * A text field with suggestions (ARIA combobox with a listbox). Arrows move, Enter takes, Escape closes; what is typed
 * always counts, whether suggested or not.
 *
 * @typedef {{value: string, label?: string, note?: string}} Suggestion
 */
import { h, fill, uniqueID } from "../dom.js";
import { t } from "../text.js";

const mostShown = 50;

export class ComboBox extends HTMLElement {
    /** @type {Suggestion[]} */
    #suggestions = [];
    /** @type {Suggestion[]} */
    #shown = [];
    #active = -1;
    /** Somebody is choosing: what arrives late is shown, too. */
    #choosing = false;
    #listID = uniqueID();
    #statusID = uniqueID();
    #list = h("ul", { class: "combo-list", role: "listbox", id: this.#listID, hidden: true });
    #status = h("span", { class: "visually-hidden", role: "status", id: this.#statusID });
    input = h("input", {
        class: "input", type: "text", role: "combobox", "aria-expanded": "false", "aria-controls": this.#listID,
        "aria-autocomplete": "list", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
    });
    /**
     * Called when the value became another one by typing or choosing.
     *
     * @type {() => void}
     */
    onChange = () => {};
    /**
     * Called when a suggestion was taken.
     *
     * @type {() => void}
     */
    onChoose = () => {};

    connectedCallback() {
        if (this.input.isConnected) return;
        this.append(this.input, this.#list, this.#status);
        this.input.addEventListener("input", () => {
            this.#open();
            this.onChange();
        });
        this.input.addEventListener("click", () => this.#open());
        this.input.addEventListener("keydown", (event) => this.#onKey(event));
        this.input.addEventListener("blur", () => this.#close());
        // The list must not take the focus away before the click has chosen.
        this.#list.addEventListener("pointerdown", (event) => event.preventDefault());
        this.#list.addEventListener("click", (event) => {
            const option = event.target instanceof Element ? event.target.closest("[role=option]") : null;
            if (option) this.#choose(Number(option.getAttribute("data-index")));
        });
    }

    get value() {
        return this.input.value.trim();
    }

    set value(text) {
        this.input.value = text;
    }

    /** @param {Suggestion[]} list */
    set suggestions(list) {
        this.#suggestions = list;
        if (this.#choosing) this.#open();
    }

    #matching() {
        const words = this.input.value.trim().toLowerCase();
        // A value that is itself a suggestion shows all of them: somebody wants to choose another.
        const whole = this.#suggestions.some((one) => one.value.toLowerCase() === words);
        if (words === "" || whole) return this.#suggestions.slice(0, mostShown);
        const found = this.#suggestions.filter((one) => `${one.label ?? ""} ${one.value}`.toLowerCase().includes(words));
        return found.slice(0, mostShown);
    }

    #open() {
        this.#choosing = true;
        this.#shown = this.#matching();
        this.#active = -1;
        if (this.#shown.length === 0) return this.#hide();
        fill(this.#list, ...this.#shown.map((one, index) => h("li", {
            role: "option", id: `${this.#listID}-${index}`, "data-index": index, "aria-selected": "false", class: "combo-option",
        }, h("span", { class: "combo-label" }, one.label ?? one.value), one.note && h("span", { class: "combo-note" }, one.note))));
        this.#list.hidden = false;
        this.input.setAttribute("aria-expanded", "true");
        this.input.removeAttribute("aria-activedescendant");
        this.#status.textContent = t("form.options", { count: this.#shown.length });
    }

    #close() {
        this.#choosing = false;
        this.#hide();
    }

    #hide() {
        this.#list.hidden = true;
        this.#active = -1;
        this.input.setAttribute("aria-expanded", "false");
        this.input.removeAttribute("aria-activedescendant");
        this.#status.textContent = "";
    }

    /** @param {number} index */
    #mark(index) {
        const options = this.#list.children;
        options[this.#active]?.setAttribute("aria-selected", "false");
        this.#active = index;
        options[index]?.setAttribute("aria-selected", "true");
        options[index]?.scrollIntoView({ block: "nearest" });
        if (index >= 0) this.input.setAttribute("aria-activedescendant", `${this.#listID}-${index}`);
        else this.input.removeAttribute("aria-activedescendant");
    }

    /** @param {number} index */
    #choose(index) {
        const one = this.#shown[index];
        if (!one) return;
        this.input.value = one.value;
        this.#close();
        this.onChange();
        this.onChoose();
    }

    /** @param {KeyboardEvent} event */
    #onKey(event) {
        if (event.isComposing) return;
        const open = !this.#list.hidden;
        const last = this.#shown.length - 1;
        if (event.key === "ArrowDown" || event.key === "ArrowUp") {
            if (!open) this.#open();
            if (this.#list.hidden) return;
            const down = event.key === "ArrowDown";
            const from = this.#active;
            this.#mark(down ? (from >= last ? 0 : from + 1) : (from <= 0 ? this.#shown.length - 1 : from - 1));
        } else if (event.key === "Enter" && open && this.#active >= 0) {
            this.#choose(this.#active);
        } else if (event.key === "Escape" && open) {
            this.#close();
        } else {
            return;
        }
        event.preventDefault();
        event.stopPropagation();
    }
}

customElements.define("combo-box", ComboBox);
