// A terminal in the page: draws a Screen, sends keys, and keeps a WebSocket to the agent's pseudo-terminal alive.

import { BOLD, DIM, HIDDEN, INVERSE, ITALIC, paletteColour, Screen, STRIKE, UNDERLINE, widthOf } from "./screen.js";
import { call, socketAddress } from "./api.js";

/** Keys whose sequence does not depend on the screen's modes. */
const KEYS = {
  Enter: "\r", Backspace: "\x7f", Escape: "\x1b", Tab: "\t", Delete: "\x1b[3~", Insert: "\x1b[2~",
  PageUp: "\x1b[5~", PageDown: "\x1b[6~",
  F1: "\x1bOP", F2: "\x1bOQ", F3: "\x1bOR", F4: "\x1bOS", F5: "\x1b[15~", F6: "\x1b[17~", F7: "\x1b[18~",
  F8: "\x1b[19~", F9: "\x1b[20~", F10: "\x1b[21~", F11: "\x1b[23~", F12: "\x1b[24~",
};
const CURSOR_KEYS = { ArrowUp: "A", ArrowDown: "B", ArrowRight: "C", ArrowLeft: "D", Home: "H", End: "F" };

/** The bytes a key press stands for, or null when the key is the browser's. */
export function sequence(event, applicationCursor) {
  if (event.metaKey || event.isComposing) return null;
  const { key } = event;
  if (key in CURSOR_KEYS) {
    const modifier = 1 + (event.shiftKey ? 1 : 0) + (event.altKey ? 2 : 0) + (event.ctrlKey ? 4 : 0);
    if (modifier > 1) return `\x1b[1;${modifier}${CURSOR_KEYS[key]}`;
    return `\x1b${applicationCursor ? "O" : "["}${CURSOR_KEYS[key]}`;
  }
  if (key in KEYS) {
    if (key === "Tab" && event.shiftKey) return null; // the way out of the terminal for people without a mouse
    if (event.ctrlKey && event.shiftKey) return null;
    if (key === "Backspace" && event.ctrlKey) return "\x17";
    return (event.altKey ? "\x1b" : "") + KEYS[key];
  }
  if ([...key].length !== 1) return null;
  if (event.ctrlKey && !event.altKey) {
    if (event.shiftKey) return null; // Ctrl+Shift+C and V copy and paste
    const code = key.toUpperCase().charCodeAt(0);
    if (code >= 0x40 && code <= 0x5f) return String.fromCharCode(code - 0x40);
    if (key === " ") return "\0";
    if (key === "?") return "\x7f";
    return null;
  }
  return event.altKey && !event.ctrlKey ? `\x1b${key}` : key;
}

export class Terminal {
  #element; #rowsElement; #input; #screen; #socket = null; #cursor = 0; #pty = null; #frame = 0; #retry = 250;
  #historyShown = 0; #droppedShown = 0; #cell = { width: 8, height: 17 }; #closed = false; #resizeTimer = 0;
  #status; #onQuiet; #quietTimer = 0; #isReplaying = true; #rowElements = []; #historyElements = [];

  /**
   * @param {HTMLElement} element where the rows go
   * @param {HTMLTextAreaElement} input receives keys, so that phones show a keyboard and readers have a label
   * @param {(state: "starting"|"open"|"waiting"|"exited") => void} status
   * @param {() => void} onQuiet called when output has come and then none for a while
   */
  constructor(element, input, status, onQuiet = () => {}) {
    this.#element = element;
    this.#input = input;
    this.#status = status;
    this.#onQuiet = onQuiet;
    this.#rowsElement = document.createElement("div");
    this.#rowsElement.className = "rows";
    element.append(this.#rowsElement);
    this.#measure();
    const size = this.#size();
    // What a program asked long ago is replayed, but must not be answered again: it would read that as keystrokes.
    this.#screen = new Screen({ ...size, reply: (text) => { if (!this.#isReplaying) this.send(text); } });
    this.#listen();
    new ResizeObserver(() => this.#fit()).observe(element);
    document.fonts?.ready.then(() => { this.#measure(); this.#fit(); });
  }

  get title() { return this.#screen.title; }

  /** Returns to the shell this tab had, or to one that nobody looks at any more, or else starts a new one. */
  async start() {
    this.#status("starting");
    this.#closed = false;
    const remembered = sessionStorage.getItem("demo-agent-pty");
    const running = await call("GET", "/pty");
    this.#pty = running.find((pty) => pty.id === remembered) ??
      running.find((pty) => pty.title === "Terminal" && pty.clients === 0) ??
      await call("POST", "/pty", { title: "Terminal", size: this.#size(true) });
    sessionStorage.setItem("demo-agent-pty", this.#pty.id);
    this.#cursor = 0;
    this.#screen.reset();
    this.#clearHistory();
    this.#connect();
  }

  focus() { this.#input.focus({ preventScroll: true }); }

  send(text) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  #connect() {
    const socket = new WebSocket(socketAddress(`/pty/${this.#pty.id}/connect?cursor=${this.#cursor}`));
    socket.binaryType = "arraybuffer";
    this.#isReplaying = true;
    this.#socket = socket;
    socket.onopen = () => {
      this.#retry = 250;
      this.#status("open");
      this.#tellSize();
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") {
        this.#cursor += data.length;
        this.#screen.write(data);
        this.#schedule();
        clearTimeout(this.#quietTimer);
        this.#quietTimer = setTimeout(this.#onQuiet, 700);
      } else {
        const bytes = new Uint8Array(data);
        if (bytes[0] !== 0) return;
        this.#cursor = JSON.parse(new TextDecoder().decode(bytes.subarray(1))).cursor;
        this.#isReplaying = false;
      }
    };
    socket.onclose = async (event) => {
      if (this.#socket !== socket || this.#closed) return;
      if (event.code === 1000) {
        this.#exited();
        return;
      }
      this.#status("waiting");
      setTimeout(() => this.#reconnect(), this.#retry);
      this.#retry = Math.min(this.#retry * 2, 5000);
    };
  }

  async #reconnect() {
    try {
      const running = await call("GET", "/pty");
      if (running.some((pty) => pty.id === this.#pty.id)) this.#connect();
      else this.#exited();
    } catch {
      setTimeout(() => this.#reconnect(), this.#retry);
      this.#retry = Math.min(this.#retry * 2, 5000);
    }
  }

  #exited() {
    this.#closed = true;
    sessionStorage.removeItem("demo-agent-pty");
    this.#screen.cursorVisible = false;
    this.#screen.write("\r\n\x1b[0;2m[the shell has ended]\x1b[0m\r\n");
    this.#schedule();
    this.#status("exited");
  }

  // ---- size -----------------------------------------------------------------------------------------------------

  #measure() {
    const probe = document.createElement("span");
    probe.className = "probe";
    probe.textContent = "M".repeat(50);
    this.#rowsElement.append(probe);
    const box = probe.getBoundingClientRect();
    probe.remove();
    if (box.width > 0) this.#cell = { width: box.width / 50, height: box.height };
    this.#element.style.setProperty("--cell-height", `${this.#cell.height}px`);
    this.#element.style.setProperty("--cell-width", `${this.#cell.width}px`);
  }

  #size(short = false) {
    const style = getComputedStyle(this.#element);
    const inner = (size, first, second) => size - parseFloat(style[first]) - parseFloat(style[second]);
    const columns = Math.floor(inner(this.#element.clientWidth, "paddingLeft", "paddingRight") / this.#cell.width);
    const rows = Math.floor(inner(this.#element.clientHeight, "paddingTop", "paddingBottom") / this.#cell.height);
    const size = { columns: Math.min(500, Math.max(20, columns)), rows: Math.min(200, Math.max(4, rows)) };
    return short ? { cols: size.columns, rows: size.rows } : size;
  }

  #fit() {
    const { columns, rows } = this.#size();
    if (columns === this.#screen.columns && rows === this.#screen.rows) return;
    this.#screen.resize(columns, rows);
    this.#clearHistory();
    clearTimeout(this.#resizeTimer);
    this.#resizeTimer = setTimeout(() => this.#tellSize(), 80);
  }

  #tellSize() {
    if (!this.#pty || this.#closed) return;
    const size = { rows: this.#screen.rows, cols: this.#screen.columns };
    call("PUT", `/pty/${this.#pty.id}`, { size }).catch(() => {});
  }

  // ---- keys -----------------------------------------------------------------------------------------------------

  #listen() {
    const input = this.#input;
    input.addEventListener("keydown", (event) => {
      const text = sequence(event, this.#screen.applicationCursor);
      if (text === null) return;
      event.preventDefault();
      this.#toBottom();
      this.send(text);
    });
    // What arrives without a usable keydown: phone keyboards, dead keys, composed input.
    input.addEventListener("input", (event) => {
      if (event.isComposing) return;
      if (input.value) this.send(input.value.replaceAll("\n", "\r"));
      input.value = "";
    });
    input.addEventListener("compositionend", () => {
      if (input.value) this.send(input.value);
      input.value = "";
    });
    input.addEventListener("paste", (event) => {
      event.preventDefault();
      const text = event.clipboardData.getData("text/plain").replaceAll(/\r?\n/g, "\r");
      // A pasted end marker must not end the paste early and run what follows.
      const clean = text.replaceAll("\x1b", "");
      this.send(this.#screen.bracketedPaste ? `\x1b[200~${clean}\x1b[201~` : clean);
    });
    input.addEventListener("copy", (event) => {
      const selected = String(document.getSelection());
      if (selected) {
        event.clipboardData.setData("text/plain", selected);
        event.preventDefault();
      }
    });
    this.#element.addEventListener("mouseup", (event) => {
      if (event.button === 0 && document.getSelection().isCollapsed) this.focus();
    });
    const showFocus = () => this.#element.classList.toggle("focused", document.activeElement === input);
    input.addEventListener("focus", showFocus);
    input.addEventListener("blur", showFocus);
  }

  // ---- drawing --------------------------------------------------------------------------------------------------

  #schedule() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => { this.#frame = 0; this.#draw(); });
  }

  #toBottom() { this.#element.scrollTop = this.#element.scrollHeight; }

  #clearHistory() {
    this.#rowsElement.replaceChildren();
    this.#historyElements = [];
    this.#rowElements = [];
    this.#droppedShown = this.#screen.dropped;
    this.#screen.allDirty = true;
    this.#schedule();
  }

  #draw() {
    const screen = this.#screen;
    const element = this.#element;
    const atBottom = element.scrollHeight - element.scrollTop - element.clientHeight < this.#cell.height * 1.5;
    const history = screen.isAlternate ? [] : screen.history;

    // History rows never change once written: drop what the model dropped, add what is new.
    for (; this.#droppedShown < screen.dropped; this.#droppedShown++) this.#historyElements.shift()?.remove();
    while (this.#historyElements.length > history.length) this.#historyElements.pop().remove();
    const first = this.#rowElements[0] ?? null;
    for (let index = this.#historyElements.length; index < history.length; index++) {
      const row = this.#row(history[index], -1);
      this.#rowsElement.insertBefore(row, first);
      this.#historyElements.push(row);
    }

    while (this.#rowElements.length > screen.rows) this.#rowElements.pop().remove();
    for (let index = 0; index < screen.rows; index++) {
      const cursorHere = index === screen.y || index === this.#cursorRow;
      const old = this.#rowElements[index];
      if (old && !screen.allDirty && !screen.dirty.has(index) && !cursorHere) continue;
      const row = this.#row(screen.lines[index], screen.cursorVisible && index === screen.y ? screen.x : -1);
      if (old) old.replaceWith(row);
      else this.#rowsElement.append(row);
      this.#rowElements[index] = row;
    }
    this.#cursorRow = screen.y;
    screen.allDirty = false;
    screen.dirty.clear();
    if (atBottom) this.#toBottom();
    // The hidden input sits at the cursor, so that input methods open their window there.
    const row = this.#rowElements[screen.y];
    if (row) {
      this.#input.style.top = `${row.offsetTop}px`;
      this.#input.style.left = `${Math.min(screen.x, screen.columns - 2) * this.#cell.width}px`;
    }
  }

  #cursorRow = -1;

  #row(cells, cursor) {
    const row = document.createElement("div");
    row.className = "row";
    let run = null;
    let runStyle = null;
    const append = (text, style, extra) => {
      if (!run || extra || runStyle !== style) {
        run = span(style, extra);
        row.append(run);
        runStyle = extra ? null : style;
      }
      run.textContent += text;
    };
    let last = cells.length - 1;
    while (last > cursor && cells[last].text === " " && plain(cells[last].style)) last--;
    for (let column = 0; column <= last; column++) {
      const { text, style } = cells[column];
      if (text === "" && column !== cursor) continue;
      const wide = text !== " " && widthOf(text.codePointAt(0) ?? 32) === 2;
      append(text, style, column === cursor ? "cursor" : wide ? "wide" : "");
    }
    if (last < 0) row.textContent = "\u200b";
    return row;
  }
}

const plain = (style) => style.bg === null && (style.flags & (INVERSE | UNDERLINE | STRIKE)) === 0;

function span(style, extra) {
  const element = document.createElement("span");
  const { flags } = style;
  const names = extra ? [extra] : [];
  if (flags & BOLD) names.push("bold");
  if (flags & DIM) names.push("dim");
  if (flags & ITALIC) names.push("italic");
  if (flags & UNDERLINE) names.push("underline");
  if (flags & STRIKE) names.push("strike");
  if (flags & HIDDEN) names.push("hidden");
  let { fg, bg } = style;
  if (flags & INVERSE) [fg, bg] = [bg ?? "background", fg ?? "foreground"];
  for (const [colour, name, property] of [[fg, "fg", "color"], [bg, "bg", "backgroundColor"]]) {
    if (colour === null) continue;
    if (typeof colour === "number" && colour >= 16) element.style[property] = paletteColour(colour);
    else if (typeof colour === "number" || !colour.startsWith("#")) names.push(`${name}-${colour}`);
    else element.style[property] = colour;
  }
  element.className = names.join(" ");
  return element;
}
