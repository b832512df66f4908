/** The form that starts a session: repository, branch, what shall be done. */
import { ApiError, call, fetched, sentence } from "../api.js";
import { h, setText, uniqueID } from "../dom.js";
import { draft, setDraft } from "../preferences.js";
import { inventBranch, isBranchName, isRepositoryAddress, repositoryAddress, repositoryName } from "../repository.js";
import { go } from "../routes.js";
import { activityOf, linkOf } from "../sessions.js";
import { store } from "../store.js";
import { t } from "../text.js";
import { ComboBox } from "./combo-box.js";
import { icon } from "./icons.js";

/** How long the typing must rest before the remote is asked. */
const rest = 400;

/** Answers of this page's life: the person's repositories and branches by repository. */
/** @type {Promise<import("./combo-box.js").Suggestion[]> | null} */
let ownRepositories = null;
/** @type {Map<string, Promise<import("./combo-box.js").Suggestion[]>>} */
const branchesOf = new Map();

export class SessionComposer extends HTMLElement {
    #repository = new ComboBox();
    #source = new ComboBox();
    #branch = h("input", { class: "input", type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", id: uniqueID() });
    #again = h("button", { class: "icon-button input-button", type: "button" }, icon("refresh"));
    #prompt = h("textarea", { class: "input prompt", rows: "2", id: uniqueID(), autocomplete: "off" });
    #submit = h("button", { class: "button button-primary", type: "submit" });
    #note = h("p", { class: "composer-note", role: "status" });
    #form = h("form", { class: "composer", novalidate: true, autocomplete: "off" });
    #modes = /** @type {HTMLInputElement[]} */ ([]);
    /** @type {Record<string, HTMLElement>} */
    #problems = {};
    /** The branch that we suggested; it may be replaced, a typed one may not. */
    #suggested = "";
    #suggestedFor = "";
    #busy = false;
    /** @type {number | undefined} */
    #timer;
    /** @type {(() => void) | null} */
    #end = null;

    connectedCallback() {
        if (this.childElementCount === 0) this.#build();
        /** @type {unknown} */
        let seen = null;
        const update = () => {
            if (store.state.sessions === seen) return;
            seen = store.state.sessions;
            this.#suggestRepositories();
            this.#refresh();
        };
        this.#end = store.subscribe(update);
        update();
    }

    disconnectedCallback() {
        this.#end?.();
        window.clearTimeout(this.#timer);
    }

    /** Goes to the first field. */
    start() {
        const field = this.#blank ? this.#prompt : this.#repository.input;
        field.focus();
        field.select();
    }

    /**
     * Fills the form from an address such as `/?repo=…&branch=…&prompt=…`, or from what was left unfinished.
     *
     * @param {URLSearchParams} parameters
     */
    prefill(parameters) {
        const left = draft();
        const linked = ["repo", "branch", "from", "prompt", "blank"].some((name) => parameters.has(name));
        const value = (/** @type {string} */ name) => (linked ? parameters.get(name) : left[name]) ?? "";
        this.#repository.value = value("repo");
        this.#source.value = value("from");
        this.#branch.value = value("branch");
        this.#prompt.value = value("prompt");
        this.#setMode(linked ? parameters.has("blank") : left.blank === "yes");
        this.#repositoryChanged();
        this.#fit();
    }

    get #blank() {
        return this.#modes[1]?.checked ?? false;
    }

    #build() {
        const name = uniqueID();
        const mode = (/** @type {string} */ value, /** @type {string} */ words) => {
            const input = h("input", { type: "radio", name, value, onchange: () => this.#modeChanged() });
            this.#modes.push(input);
            return h("label", { class: "segment" }, input, h("span", {}, words));
        };
        this.#repository.input.id = uniqueID();
        this.#source.input.id = uniqueID();
        this.#repository.input.placeholder = t("form.repository.placeholder");
        this.#repository.input.setAttribute("inputmode", "url");
        this.#source.input.placeholder = t("form.source.placeholder");
        this.#prompt.placeholder = t("form.prompt.placeholder");
        this.#again.setAttribute("aria-label", t("form.branch.again"));
        this.#again.title = t("form.branch.again");
        this.#form.append(
            h("div", { class: "composer-top" },
                h("h2", { class: "composer-title" }, t("form.title")),
                h("div", { class: "segments", role: "radiogroup", "aria-label": t("form.mode") },
                    mode("repository", t("form.mode.repository")), mode("blank", t("form.mode.blank")))),
            h("div", { class: "composer-fields" },
                this.#field("repository", t("form.repository"), this.#repository.input, this.#repository),
                this.#field("source", t("form.source"), this.#source.input, this.#source),
                this.#field("branch", t("form.branch"), this.#branch, h("div", { class: "input-with-button" }, this.#branch, this.#again))),
            this.#field("prompt", t("form.prompt"), this.#prompt, this.#prompt),
            h("div", { class: "composer-foot" }, this.#note, this.#submit));
        this.append(this.#form);
        this.#modes[0].checked = true;

        this.#form.addEventListener("submit", (event) => {
            event.preventDefault();
            void this.#send();
        });
        this.#form.addEventListener("input", () => this.#changed());
        this.#repository.onChange = () => this.#repositoryChanged();
        this.#repository.onChoose = () => this.#branch.focus();
        this.#repository.input.addEventListener("change", () => {
            const address = repositoryAddress(this.#repository.value);
            if (address !== this.#repository.value) this.#repository.value = address;
            this.#repositoryChanged();
        });
        this.#source.onChange = () => this.#changed();
        this.#source.onChoose = () => this.#branch.focus();
        this.#source.input.addEventListener("focus", () => this.#loadBranches());
        this.#again.addEventListener("click", () => {
            this.#branch.value = "";
            this.#suggestedFor = "";
            void this.#suggestBranch();
            this.#branch.focus();
        });
        this.#prompt.addEventListener("input", () => this.#fit());
        this.#prompt.addEventListener("keydown", (event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            this.#form.requestSubmit();
        });
    }

    /**
     * @param {string} name
     * @param {string} words
     * @param {HTMLElement} input
     * @param {HTMLElement} control
     */
    #field(name, words, input, control) {
        const problem = h("p", { class: "problem", id: uniqueID(), hidden: true });
        this.#problems[name] = problem;
        return h("div", { class: `field field-${name}` }, h("label", { for: input.id }, words), control, problem);
    }

    /** @param {boolean} blank */
    #setMode(blank) {
        this.#modes[blank ? 1 : 0].checked = true;
        this.#form.classList.toggle("composer-blank", blank);
    }

    #modeChanged() {
        this.#setMode(this.#blank);
        this.#changed();
    }

    #repositoryChanged() {
        window.clearTimeout(this.#timer);
        this.#timer = window.setTimeout(() => {
            void this.#suggestBranch();
            this.#loadBranches();
        }, rest);
        this.#source.suggestions = [];
        this.#changed();
    }

    #changed() {
        for (const name of Object.keys(this.#problems)) this.#problem(name, "");
        this.#refresh();
        const value = {
            repo: this.#repository.value,
            from: this.#source.value,
            branch: this.#branch.value === this.#suggested ? "" : this.#branch.value,
            prompt: this.#prompt.value,
            blank: this.#blank ? "yes" : "",
        };
        setDraft(Object.values(value).some(Boolean) ? value : null);
    }

    #refresh() {
        const existing = this.#existing();
        const words = this.#busy ? t("form.starting") : existing ? t("form.open") : t("form.start");
        setText(this.#submit, words);
        setText(this.#note, existing ? t("form.existing") : t("form.keys"));
        this.#note.classList.toggle("composer-keys", !existing);
    }

    /** The session that this form would make, if there is one already. */
    #existing() {
        if (this.#blank) return undefined;
        const address = repositoryAddress(this.#repository.value);
        const branch = this.#branch.value.trim();
        if (!address || !branch) return undefined;
        return [...store.state.sessions.values()].find((one) => one.repoUrl === address && one.branch === branch);
    }

    /** As high as its text, within reason. */
    #fit() {
        this.#prompt.style.height = "auto";
        this.#prompt.style.height = `${Math.min(this.#prompt.scrollHeight + 2, 280)}px`;
    }

    #suggestRepositories() {
        ownRepositories ??= call("/api/user/repos", { tokenMayMiss: true }).then(
            (list) => (Array.isArray(list) ? list : []).map((/** @type {any} */ one) => ({
                value: String(one.url), label: String(one.fullName), note: one.isPrivate ? t("form.repository.private") : "",
            })),
            () => []);
        /** @type {Map<string, number>} */
        const used = new Map();
        for (const session of store.state.sessions.values()) {
            // What could not even be fetched is no suggestion.
            if (!session.repoUrl || session.state === "failed") continue;
            used.set(session.repoUrl, Math.max(used.get(session.repoUrl) ?? 0, activityOf(session) ?? 0));
        }
        const recent = [...used].sort((one, other) => other[1] - one[1]).map(([value]) => ({
            value, label: repositoryName(value), note: t("form.repository.recent"),
        }));
        const key = recent.map((one) => one.value).join(" ");
        if (key === this.#recentKey) return;
        this.#recentKey = key;
        void ownRepositories.then((own) => {
            if (key !== this.#recentKey) return;
            this.#repository.suggestions = [...recent, ...own.filter((one) => !used.has(one.value))];
        });
    }
    /** @type {string | null} */
    #recentKey = null;

    #loadBranches() {
        const address = repositoryAddress(this.#repository.value);
        if (!isRepositoryAddress(address)) return;
        let branches = branchesOf.get(address);
        if (!branches) {
            branches = call(`/api/user/repos/branches?${new URLSearchParams({ repo: address })}`, { tokenMayMiss: true }).then(
                (list) => (Array.isArray(list) ? list : []).map((/** @type {any} */ one) => ({
                    value: String(one.name), note: one.default ? t("form.source.default") : "",
                })),
                () => {
                    branchesOf.delete(address);
                    return [];
                });
            branchesOf.set(address, branches);
        }
        void branches.then((list) => {
            if (repositoryAddress(this.#repository.value) === address) this.#source.suggestions = list;
        });
    }

    async #suggestBranch() {
        const address = repositoryAddress(this.#repository.value);
        if (this.#blank || !isRepositoryAddress(address) || address === this.#suggestedFor) return;
        if (this.#branch.value !== "" && this.#branch.value !== this.#suggested) return;
        this.#suggestedFor = address;
        /** @type {string} */
        let name;
        try {
            name = String((await call(`/api/sessions/suggest-branch?${new URLSearchParams({ repoUrl: address })}`)).branch);
        } catch {
            name = inventBranch();
        }
        if (this.#branch.value !== "" && this.#branch.value !== this.#suggested) return;
        this.#suggested = name;
        this.#branch.value = name;
        this.#refresh();
    }

    /**
     * @param {string} name
     * @param {string} words Empty means none.
     */
    #problem(name, words) {
        const element = this.#problems[name];
        const inputs = { repository: this.#repository.input, source: this.#source.input, branch: this.#branch, prompt: this.#prompt };
        const input = inputs[/** @type {keyof typeof inputs} */ (name)];
        setText(element, words);
        element.hidden = words === "";
        if (words) {
            input.setAttribute("aria-invalid", "true");
            input.setAttribute("aria-describedby", element.id);
            input.focus();
        } else {
            input.removeAttribute("aria-invalid");
            input.removeAttribute("aria-describedby");
        }
    }

    async #send() {
        if (this.#busy) return;
        const blank = this.#blank;
        const address = repositoryAddress(this.#repository.value);
        const source = this.#source.value;
        if (!blank) {
            this.#repository.value = address;
            if (!address) return this.#problem("repository", t("form.repository.needed"));
            if (!isRepositoryAddress(address)) return this.#problem("repository", t("form.repository.wrong"));
            if (source && !isBranchName(source)) return this.#problem("source", t("form.branch.wrong"));
            window.clearTimeout(this.#timer);
        }
        this.#working(true);
        try {
            if (!blank && !this.#branch.value) await this.#suggestBranch();
            const branch = this.#branch.value.trim() || (blank ? "main" : "");
            if (!branch) return this.#problem("branch", t("form.branch.needed"));
            if (!isBranchName(branch)) return this.#problem("branch", t("form.branch.wrong"));
            const existing = this.#existing();
            if (existing?.state === "running") {
                location.assign(linkOf(existing));
                return;
            }
            const { createSession } = await fetched(import("../actions.js"));
            const hash = await createSession({
                ...(blank ? {} : { repoUrl: address }),
                branch,
                ...(source && !blank ? { sourceBranch: source } : {}),
                ...(this.#prompt.value.trim() ? { initialMessage: this.#prompt.value.trim() } : {}),
            });
            setDraft(null);
            go(`/session/${hash}`);
        } catch (error) {
            this.#explain(error);
        } finally {
            this.#working(false);
        }
    }

    /** @param {boolean} busy */
    #working(busy) {
        this.#busy = busy;
        this.#submit.classList.toggle("button-busy", busy);
        this.#submit.setAttribute("aria-disabled", String(busy));
        this.#refresh();
    }

    /**
     * Puts the reason beside the field that it is about.
     *
     * @param {unknown} error
     */
    #explain(error) {
        const code = error instanceof ApiError ? error.code : "";
        const words = sentence(error);
        if (error instanceof ApiError && error.kind !== "refused") this.#problem("prompt", words);
        else if (/source.*branch|branch_not_found|branch_missing/.test(code)) this.#problem("source", words);
        else if (/branch/.test(code)) this.#problem("branch", words);
        else if (/repo|remote|host|scheme|url|clone/.test(code) && !this.#blank) this.#problem("repository", words);
        else this.#problem("prompt", words);
    }
}

customElements.define("session-composer", SessionComposer);
