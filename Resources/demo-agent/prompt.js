// The conversation: a prompt goes to the agent, its canned answer comes back as events.

import { call } from "./api.js";

export class Conversation {
  #log; #form; #text; #stop; #session = null; #messages = new Map(); #busy = false;

  constructor(log, form) {
    this.#log = log;
    this.#form = form;
    this.#text = form.elements.prompt;
    this.#stop = form.elements.stop;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    this.#stop.addEventListener("click", () => {
      if (this.#session) call("POST", `/session/${this.#session}/abort`).catch((error) => this.#fail(error));
    });
  }

  /** Shows what was said before: the session that the address names (`/<directory>/session/<id>`), else the newest. */
  async load() {
    const sessions = await call("GET", "/session");
    const named = /^\/[^/]+\/session\/([^/]+)$/.exec(location.pathname)?.[1];
    this.#session = (sessions.find((session) => session.id === named) ?? sessions[0])?.id ?? null;
    this.#messages.clear();
    this.#log.querySelectorAll(".message").forEach((element) => element.remove());
    if (!this.#session) return;
    for (const { info, parts } of await call("GET", `/session/${this.#session}/message`)) {
      this.#message(info.id, info.role);
      for (const part of parts) this.#setText(info.id, part.text);
    }
    const status = await call("GET", "/session/status");
    this.#setBusy(this.#session in status);
  }

  /** Follows the agent's events. */
  receive({ type, properties }) {
    if (type === "session.created" && !this.#session) this.#session = properties.info.id;
    const id = properties?.sessionID ?? properties?.info?.sessionID ?? properties?.part?.sessionID;
    if (!id || id !== this.#session) return;
    switch (type) {
      case "session.status": this.#setBusy(properties.status.type !== "idle"); break;
      case "session.error": this.#fail(new Error(properties.error?.data?.message ?? "The agent failed.")); break;
      case "message.updated": this.#message(properties.info.id, properties.info.role); break;
      case "message.part.updated": this.#setText(properties.part.messageID, properties.part.text); break;
      case "message.part.delta":
        this.#setText(properties.messageID, this.#messages.get(properties.messageID)?.textContent + properties.delta);
        break;
    }
  }

  async #send() {
    const text = this.#text.value.trim();
    if (!text || this.#busy) return;
    this.#form.querySelector("[role=alert]").textContent = "";
    try {
      this.#session ??= (await call("POST", "/session", { title: text.slice(0, 80) })).id;
      await call("POST", `/session/${this.#session}/prompt_async`, { parts: [{ type: "text", text }] });
      this.#text.value = "";
    } catch (error) {
      this.#fail(error);
    }
  }

  #message(id, role) {
    let body = this.#messages.get(id);
    if (body) return body;
    const element = document.createElement("article");
    element.className = `message ${role}`;
    const author = document.createElement("h3");
    author.textContent = role === "user" ? "You" : "Demo agent";
    body = document.createElement("p");
    element.append(author, body);
    this.#log.append(element);
    this.#messages.set(id, body);
    return body;
  }

  #setText(id, text) {
    const body = this.#messages.get(id);
    if (!body) return;
    body.textContent = text;
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  #setBusy(busy) {
    this.#busy = busy;
    this.#form.elements.send.disabled = busy;
    this.#stop.hidden = !busy;
    this.#log.setAttribute("aria-busy", busy);
  }

  #fail(error) { this.#form.querySelector("[role=alert]").textContent = error.message; }
}
