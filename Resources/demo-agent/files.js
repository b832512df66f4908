// The repository's files as a tree (ARIA tree pattern), and a preview of the chosen one.

import { call } from "./api.js";

const SHOWN_LINES = 2000;

export class Files {
  #tree; #preview; #heading; #opened = new Set(); #selected = null; #shown = ""; #turn = 0;

  constructor(tree, preview, heading) {
    this.#tree = tree;
    this.#preview = preview;
    this.#heading = heading;
    tree.addEventListener("keydown", (event) => this.#key(event));
    tree.addEventListener("click", (event) => {
      const label = event.target.closest("[role=treeitem]");
      if (label) this.#activate(label);
    });
  }

  /** Reads the tree anew, keeping what is open. */
  async refresh() {
    const turn = ++this.#turn;
    const fresh = document.createDocumentFragment();
    try {
      await this.#fill(fresh, "", 1);
    } catch (error) {
      this.#shown = "";
      this.#tree.replaceChildren(note(error.message));
      return;
    }
    // A later call overtook this one, or nothing has changed: leave hover, focus and scrolling alone.
    const shown = [...fresh.children].map((item) => item.outerHTML).join("");
    if (turn !== this.#turn || shown === this.#shown) return;
    this.#shown = shown;
    const focused = document.activeElement?.dataset?.path;
    if (!fresh.childElementCount) fresh.append(note("This repository has no files yet."));
    this.#tree.replaceChildren(fresh);
    const items = this.#items();
    const current = items.find((item) => item.dataset.path === (focused ?? this.#selected)) ?? items[0];
    if (current) current.tabIndex = 0;
    if (focused !== undefined && current) current.focus();
  }

  async #fill(container, path, level) {
    const nodes = await call("GET", `/file?path=${encodeURIComponent(path)}`);
    nodes.sort((a, b) => (a.type === b.type ? a.name.localeCompare(b.name) : a.type === "directory" ? -1 : 1));
    for (const node of nodes) {
      const item = document.createElement("div");
      item.setAttribute("role", "treeitem");
      item.setAttribute("aria-level", level);
      item.tabIndex = -1;
      item.dataset.path = node.path;
      item.dataset.type = node.type;
      item.style.setProperty("--level", level - 1);
      const icon = document.createElement("span");
      icon.className = "icon";
      icon.setAttribute("aria-hidden", "true");
      const label = document.createElement("span");
      label.className = "label";
      label.textContent = node.name;
      item.append(icon, label);
      if (node.path === this.#selected) item.setAttribute("aria-selected", "true");
      container.append(item);
      if (node.type !== "directory") continue;
      const open = this.#opened.has(node.path);
      item.setAttribute("aria-expanded", open);
      if (open) await this.#fill(container, node.path, level + 1).catch(() => this.#opened.delete(node.path));
    }
  }

  #items() { return [...this.#tree.querySelectorAll("[role=treeitem]")]; }

  #focus(item) {
    for (const other of this.#items()) other.tabIndex = -1;
    item.tabIndex = 0;
    item.focus();
  }

  async #activate(item) {
    this.#focus(item);
    if (item.dataset.type === "directory") await this.#toggle(item);
    else await this.show(item.dataset.path);
  }

  async #toggle(item) {
    const { path } = item.dataset;
    if (!this.#opened.delete(path)) this.#opened.add(path);
    await this.refresh();
  }

  #key(event) {
    const items = this.#items();
    const index = items.indexOf(document.activeElement);
    if (index < 0) return;
    const item = items[index];
    const directory = item.dataset.type === "directory";
    const open = item.getAttribute("aria-expanded") === "true";
    const parent = items.slice(0, index).reverse()
      .find((other) => +other.getAttribute("aria-level") < +item.getAttribute("aria-level"));
    const move = (target) => target && this.#focus(target);
    switch (event.key) {
      case "ArrowDown": move(items[index + 1]); break;
      case "ArrowUp": move(items[index - 1]); break;
      case "Home": move(items[0]); break;
      case "End": move(items.at(-1)); break;
      case "ArrowRight": if (directory && !open) this.#toggle(item); else if (directory) move(items[index + 1]); break;
      case "ArrowLeft": if (directory && open) this.#toggle(item); else move(parent); break;
      case "Enter": case " ": this.#activate(item); break;
      default: return;
    }
    event.preventDefault();
  }

  async show(path) {
    this.#selected = path;
    for (const item of this.#items()) {
      if (item.dataset.path === path) item.setAttribute("aria-selected", "true");
      else item.removeAttribute("aria-selected");
    }
    this.#heading.textContent = path;
    try {
      const { type, content, truncated } = await call("GET", `/file/content?path=${encodeURIComponent(path)}`);
      if (path !== this.#selected) return;
      if (type !== "text") {
        this.#preview.replaceChildren(note("This file is not text; the demo agent shows text only."));
        return;
      }
      const lines = content.split("\n");
      if (lines.at(-1) === "") lines.pop();
      const list = document.createElement("ol");
      for (const line of lines.slice(0, SHOWN_LINES)) {
        const entry = document.createElement("li");
        entry.textContent = line || "\u200b";
        list.append(entry);
      }
      list.style.setProperty("--digits", String(Math.min(lines.length, SHOWN_LINES)).length);
      this.#preview.replaceChildren(list);
      if (!lines.length) this.#preview.replaceChildren(note("This file is empty."));
      if (truncated || lines.length > SHOWN_LINES) this.#preview.append(note("The rest of this file is not shown."));
      this.#preview.scrollTop = 0;
    } catch (error) {
      this.#preview.replaceChildren(note(error.message));
    }
  }
}

function note(text) {
  const paragraph = document.createElement("p");
  paragraph.className = "note";
  paragraph.textContent = text;
  return paragraph;
}
