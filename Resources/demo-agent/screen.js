// The model of a terminal: bytes of text in, a grid of cells out. It draws nothing and knows no DOM.
//
// It understands what bash, readline, less, top and git write when TERM is xterm-256color: printable text, the C0
// controls, cursor movement, erasing, inserting and deleting, scroll regions, the alternate screen, colours and a few
// reports. Everything else is read over without showing up as text. Source: ECMA-48 and xterm's control sequences.

const DEFAULT = Object.freeze({ fg: null, bg: null, flags: 0 });

export const BOLD = 1, DIM = 2, ITALIC = 4, UNDERLINE = 8, INVERSE = 16, HIDDEN = 32, STRIKE = 64;

const blank = (style) => ({ text: " ", style: style.bg === null ? DEFAULT : { ...DEFAULT, bg: style.bg } });

/** How many columns a code point takes: 0 for marks that combine, 2 for East Asian wide and emoji, else 1. */
export function widthOf(codePoint) {
  if (codePoint < 0x300) return 1;
  if (/^[\p{Mn}\p{Me}\u200b-\u200d\ufe0e\ufe0f]$/u.test(String.fromCodePoint(codePoint))) return 0;
  const wide =
    (codePoint >= 0x1100 && codePoint <= 0x115f) || (codePoint >= 0x2e80 && codePoint <= 0x303e) ||
    (codePoint >= 0x3041 && codePoint <= 0xa4cf) || (codePoint >= 0xac00 && codePoint <= 0xd7a3) ||
    (codePoint >= 0xf900 && codePoint <= 0xfaff) || (codePoint >= 0xfe30 && codePoint <= 0xfe6f) ||
    (codePoint >= 0xff00 && codePoint <= 0xff60) || (codePoint >= 0xffe0 && codePoint <= 0xffe6) ||
    (codePoint >= 0x1f300 && codePoint <= 0x1faff) || (codePoint >= 0x20000 && codePoint <= 0x3fffd);
  return wide ? 2 : 1;
}

export class Screen {
  /** @param {{columns: number, rows: number, scrollback?: number, reply?: (text: string) => void}} options */
  constructor({ columns, rows, scrollback = 2000, reply = () => {} }) {
    this.columns = columns;
    this.rows = rows;
    this.limit = scrollback;
    this.reply = reply;
    /** Lines that left the top of the main screen, oldest first. */
    this.history = [];
    /** How many lines of history were dropped for ever; a view needs it to keep its rows in step. */
    this.dropped = 0;
    this.title = "";
    this.reset();
  }

  reset() {
    this.lines = Array.from({ length: this.rows }, () => this.#emptyLine(DEFAULT));
    this.main = null; // the main screen's state while the alternate one is shown
    this.x = 0;
    this.y = 0;
    this.wrapPending = false;
    this.style = DEFAULT;
    this.top = 0;
    this.bottom = this.rows - 1;
    this.saved = null;
    this.cursorVisible = true;
    this.autoWrap = true;
    this.insertMode = false;
    this.originMode = false;
    this.applicationCursor = false;
    this.bracketedPaste = false;
    this.tabs = null; // null: every eighth column
    this.drawingSet = false; // DEC special graphics, for the boxes of curses programs
    this.lastPrinted = "";
    this.state = this.#ground;
    this.allDirty = true;
    this.dirty = new Set();
  }

  get isAlternate() { return this.main !== null; }

  /** Takes output of the shell; sequences may be split anywhere between two calls. */
  write(text) {
    for (const character of text) this.state.call(this, character, character.codePointAt(0));
  }

  resize(columns, rows) {
    if (columns === this.columns && rows === this.rows) return;
    const fit = (lines) => {
      for (const line of lines) {
        while (line.length < columns) line.push(blank(DEFAULT));
        line.length = columns;
      }
    };
    // A lower screen pushes its top lines into the history (only as far as the cursor needs); a higher one takes
    // them back. Lines are cut, not wrapped anew: the shell repaints its own line.
    const shrink = (screen, keepHistory) => {
      while (screen.lines.length > rows) {
        if (screen.y < screen.lines.length - 1 && screen.lines.at(-1).every((cell) => cell.text === " ")) {
          screen.lines.pop();
        } else {
          const line = screen.lines.shift();
          if (keepHistory) this.#remember(line);
          screen.y = Math.max(0, screen.y - 1);
        }
      }
      while (screen.lines.length < rows) {
        if (keepHistory && this.history.length > 0) {
          screen.lines.unshift(this.history.pop());
          screen.y += 1;
        } else {
          screen.lines.push(this.#emptyLine(DEFAULT, columns));
        }
      }
      fit(screen.lines);
      screen.x = Math.min(screen.x, columns - 1);
      screen.y = Math.min(screen.y, rows - 1);
    };
    fit(this.history);
    if (this.main) {
      shrink(this.main, true);
      shrink(this, false);
    } else {
      shrink(this, true);
    }
    this.columns = columns;
    this.rows = rows;
    this.top = 0;
    this.bottom = rows - 1;
    this.wrapPending = false;
    this.allDirty = true;
  }

  // ---- states of the reader -------------------------------------------------------------------------------------

  #ground(character, code) {
    if (code >= 0x20 && code !== 0x7f) {
      if (code >= 0x80 && code < 0xa0) return; // C1 controls do not occur in UTF-8 terminals
      this.#print(character, code);
      return;
    }
    this.#control(code);
  }

  #control(code) {
    switch (code) {
      case 0x08: this.x = Math.max(0, this.x - 1); this.wrapPending = false; break;
      case 0x09: this.#tab(1); break;
      case 0x0a: case 0x0b: case 0x0c: this.#lineFeed(); break;
      case 0x0d: this.x = 0; this.wrapPending = false; break;
      case 0x0e: this.drawingSet = true; break;
      case 0x0f: this.drawingSet = false; break;
      case 0x1b: this.state = this.#escape; break;
    }
    this.#touch(this.y);
  }

  #escape(character, code) {
    this.state = this.#ground;
    switch (character) {
      case "[": this.parameters = ""; this.intermediate = ""; this.state = this.#controlSequence; return;
      case "]": this.string = ""; this.state = this.#operatingSystemCommand; return;
      case "P": case "X": case "^": case "_": this.string = ""; this.state = this.#ignoredString; return;
      case "(": case ")": case "*": case "+": case "#": case " ": case "%":
        this.designator = character; this.state = this.#designate; return;
      case "7": this.#saveCursor(); return;
      case "8": this.#restoreCursor(); return;
      case "D": this.#lineFeed(); return;
      case "E": this.x = 0; this.#lineFeed(); return;
      case "H": this.#setTab(); return;
      case "M": this.#reverseLineFeed(); return;
      case "c": this.reset(); return;
      case "\x1b": this.state = this.#escape; return;
    }
    if (code < 0x20) this.#control(code);
  }

  #designate(character) {
    if (this.designator === "(") this.drawingSet = character === "0";
    this.state = this.#ground;
  }

  #operatingSystemCommand(character, code) {
    if (code === 0x07 || code === 0x9c) {
      this.#finishCommand();
    } else if (code === 0x1b) {
      this.state = this.#operatingSystemCommandEnd;
    } else if (this.string.length < 4096) {
      this.string += character;
    }
  }

  #operatingSystemCommandEnd(character) {
    this.#finishCommand();
    if (character !== "\\") this.#escape(character, character.codePointAt(0));
  }

  #finishCommand() {
    this.state = this.#ground;
    const match = /^[02];(.*)$/s.exec(this.string);
    if (match) this.title = match[1];
  }

  #ignoredString(_, code) {
    if (code === 0x1b) this.state = this.#ignoredStringEnd;
    else if (code === 0x9c || code === 0x07) this.state = this.#ground;
  }

  #ignoredStringEnd(character, code) {
    this.state = this.#ground;
    if (character !== "\\") this.#escape(character, code);
  }

  #controlSequence(character, code) {
    if (code >= 0x30 && code <= 0x3f) {
      if (this.parameters.length < 256) this.parameters += character;
    } else if (code >= 0x20 && code <= 0x2f) {
      this.intermediate += character;
    } else if (code >= 0x40 && code <= 0x7e) {
      this.state = this.#ground;
      this.#execute(character);
    } else if (code === 0x1b) {
      this.state = this.#escape;
    } else if (code < 0x20) {
      this.#control(code); // a control inside a sequence acts at once (ECMA-48 leaves it open; terminals do this)
    } else {
      this.state = this.#ground;
    }
  }

  // ---- control sequences ----------------------------------------------------------------------------------------

  #execute(final) {
    const prefix = /^[<=>?]/.test(this.parameters) ? this.parameters[0] : "";
    const list = this.parameters.slice(prefix.length).split(";").map((part) => part.split(":").map(Number));
    const numbers = list.map((part) => part[0] || 0);
    const count = Math.max(1, numbers[0]);
    if (prefix === "?") {
      if (final === "h" || final === "l") for (const mode of numbers) this.#privateMode(mode, final === "h");
      return;
    }
    if (prefix !== "") {
      if (prefix === ">" && final === "c") this.reply("\x1b[>0;0;0c");
      return;
    }
    if (this.intermediate !== "") {
      if (this.intermediate === "!" && final === "p") this.#softReset();
      return;
    }
    const upper = this.y >= this.top ? this.top : 0;
    const lower = this.y <= this.bottom ? this.bottom : this.rows - 1;
    const { x, y } = this;
    this.#touch(y);
    if (!"bhlmnt".includes(final)) this.wrapPending = false;
    switch (final) {
      case "A": this.y = Math.max(upper, y - count); break;
      case "B": case "e": this.y = Math.min(lower, y + count); break;
      case "C": case "a": this.x = Math.min(this.columns - 1, x + count); break;
      case "D": this.x = Math.max(0, x - count); break;
      case "E": this.x = 0; this.y = Math.min(lower, y + count); break;
      case "F": this.x = 0; this.y = Math.max(upper, y - count); break;
      case "G": case "`": this.x = Math.min(this.columns, count) - 1; break;
      case "H": case "f": this.#moveTo(Math.max(1, numbers[1] ?? 1) - 1, count - 1); break;
      case "d": this.#moveTo(x, count - 1); break;
      case "I": this.#tab(count); break;
      case "Z": this.#tab(-count); break;
      case "J": this.#eraseDisplay(numbers[0]); break;
      case "K": this.#eraseLine(numbers[0]); break;
      case "L": this.#shiftLines(y, count); break;
      case "M": this.#shiftLines(y, -count); break;
      case "S": this.#scroll(count); break;
      case "T": this.#scroll(-count); break;
      case "@": this.#insertCells(count); break;
      case "P": this.#deleteCells(count); break;
      case "X": this.#eraseCells(y, x, x + count); break;
      case "b": for (let i = 0; i < Math.min(count, 4096) && this.lastPrinted; i++) {
        this.#print(this.lastPrinted, this.lastPrinted.codePointAt(0));
      } break;
      case "c": this.reply("\x1b[?62;22c"); break;
      case "g": if (numbers[0] === 3) this.tabs = new Set(); else this.#tabSet().delete(x); break;
      case "h": case "l": if (numbers.includes(4)) this.insertMode = final === "h"; break;
      case "m": this.#selectStyle(list); break;
      case "n":
        if (numbers[0] === 5) this.reply("\x1b[0n");
        if (numbers[0] === 6) this.reply(`\x1b[${y + 1};${x + 1}R`);
        break;
      case "r": {
        const first = count - 1;
        const last = Math.min(this.rows, numbers[1] || this.rows) - 1;
        if (first < last) {
          this.top = first;
          this.bottom = last;
          this.#moveTo(0, 0);
        }
        break;
      }
      case "s": this.#saveCursor(); break;
      case "u": this.#restoreCursor(); break;
    }
    this.#touch(this.y);
  }

  #privateMode(mode, on) {
    switch (mode) {
      case 1: this.applicationCursor = on; break;
      case 6: this.originMode = on; this.#moveTo(0, 0); break;
      case 7: this.autoWrap = on; break;
      case 25: this.cursorVisible = on; this.#touch(this.y); break;
      case 47: case 1047: this.#alternate(on, false); break;
      case 1048: if (on) this.#saveCursor(); else this.#restoreCursor(); break;
      case 1049: this.#alternate(on, true); break;
      case 2004: this.bracketedPaste = on; break;
    }
  }

  #alternate(on, withCursor) {
    if (on === this.isAlternate) return;
    if (on) {
      if (withCursor) this.#saveCursor();
      this.main = { lines: this.lines, x: this.x, y: this.y, saved: this.saved };
      this.lines = Array.from({ length: this.rows }, () => this.#emptyLine(DEFAULT));
    } else {
      ({ lines: this.lines, x: this.x, y: this.y, saved: this.saved } = this.main);
      this.main = null;
      if (withCursor) this.#restoreCursor();
    }
    this.top = 0;
    this.bottom = this.rows - 1;
    this.wrapPending = false;
    this.allDirty = true;
  }

  #softReset() {
    this.style = DEFAULT;
    this.top = 0;
    this.bottom = this.rows - 1;
    this.cursorVisible = this.autoWrap = true;
    this.insertMode = this.originMode = this.applicationCursor = false;
  }

  #selectStyle(list) {
    const style = { ...this.style };
    const colour = (index) => {
      // 38;5;n and 38;2;r;g;b, with semicolons or colons (ITU T.416).
      const part = list[index];
      if (part.length > 1) {
        const rest = part.slice(1);
        return [rest[0] === 5 ? rest[1] : rgb(rest.slice(-3)), 0];
      }
      if (list[index + 1]?.[0] === 5) return [list[index + 2]?.[0] ?? null, 2];
      if (list[index + 1]?.[0] === 2) return [rgb([2, 3, 4].map((step) => list[index + step]?.[0] ?? 0)), 4];
      return [null, 1];
    };
    for (let index = 0; index < list.length; index++) {
      const code = list[index][0] || 0;
      if (code === 0) { Object.assign(style, DEFAULT); }
      else if (code === 1) style.flags |= BOLD;
      else if (code === 2) style.flags |= DIM;
      else if (code === 3) style.flags |= ITALIC;
      else if (code === 4) style.flags |= UNDERLINE;
      else if (code === 7) style.flags |= INVERSE;
      else if (code === 8) style.flags |= HIDDEN;
      else if (code === 9) style.flags |= STRIKE;
      else if (code === 21 || code === 22) style.flags &= ~(BOLD | DIM);
      else if (code === 23) style.flags &= ~ITALIC;
      else if (code === 24) style.flags &= ~UNDERLINE;
      else if (code === 27) style.flags &= ~INVERSE;
      else if (code === 28) style.flags &= ~HIDDEN;
      else if (code === 29) style.flags &= ~STRIKE;
      else if (code >= 30 && code <= 37) style.fg = code - 30;
      else if (code >= 90 && code <= 97) style.fg = code - 82;
      else if (code >= 40 && code <= 47) style.bg = code - 40;
      else if (code >= 100 && code <= 107) style.bg = code - 92;
      else if (code === 39) style.fg = null;
      else if (code === 49) style.bg = null;
      else if (code === 38 || code === 48) {
        const [value, used] = colour(index);
        style[code === 38 ? "fg" : "bg"] = value;
        index += used;
      }
    }
    this.style = Object.freeze(style);
  }

  // ---- the grid -------------------------------------------------------------------------------------------------

  #print(character, code) {
    if (this.drawingSet && code >= 0x60 && code <= 0x7e) character = BOXES[code - 0x60];
    const width = widthOf(code);
    if (width === 0) {
      const cell = this.lines[this.y][Math.max(0, this.x - (this.wrapPending ? 0 : 1))];
      if (cell.text.length < 16) cell.text += character;
      this.#touch(this.y);
      return;
    }
    if (this.wrapPending || (this.x + width > this.columns && this.autoWrap)) {
      this.x = 0;
      this.#lineFeed();
      this.wrapPending = false;
    }
    if (this.insertMode) this.#insertCells(width);
    const line = this.lines[this.y];
    line[this.x] = { text: character, style: this.style };
    // The right half of a wide character holds no text of its own.
    if (width === 2 && this.x + 1 < this.columns) line[this.x + 1] = { text: "", style: this.style };
    this.lastPrinted = character;
    this.#touch(this.y);
    if (this.x + width >= this.columns) {
      this.x = this.columns - 1;
      this.wrapPending = this.autoWrap;
    } else {
      this.x += width;
    }
  }

  #lineFeed() {
    this.wrapPending = false;
    this.#touch(this.y);
    if (this.y === this.bottom) this.#scroll(1);
    else if (this.y < this.rows - 1) this.y += 1;
    this.#touch(this.y);
  }

  #reverseLineFeed() {
    this.wrapPending = false;
    this.#touch(this.y);
    if (this.y === this.top) this.#scroll(-1);
    else if (this.y > 0) this.y -= 1;
    this.#touch(this.y);
  }

  /** Moves the scroll region up (positive) or down. */
  #scroll(count) {
    const height = this.bottom - this.top + 1;
    for (let step = 0; step < Math.min(Math.abs(count), height); step++) {
      if (count > 0) {
        const [line] = this.lines.splice(this.top, 1);
        if (this.top === 0 && !this.isAlternate) this.#remember(line);
        this.lines.splice(this.bottom, 0, this.#emptyLine(this.style));
      } else {
        this.lines.splice(this.bottom, 1);
        this.lines.splice(this.top, 0, this.#emptyLine(this.style));
      }
    }
    this.allDirty = true;
  }

  #shiftLines(from, count) {
    if (from < this.top || from > this.bottom) return;
    const [top, y] = [this.top, this.y];
    const alternate = this.main;
    this.top = from;
    this.main = this.main ?? {}; // lines deleted in the middle are not history
    this.#scroll(-count);
    this.main = alternate;
    this.top = top;
    this.y = y;
    this.x = 0;
  }

  #insertCells(count) {
    const line = this.lines[this.y];
    const added = Array.from({ length: Math.min(count, this.columns - this.x) }, () => blank(this.style));
    line.splice(this.x, 0, ...added);
    line.length = this.columns;
    this.#touch(this.y);
  }

  #deleteCells(count) {
    const line = this.lines[this.y];
    const removed = line.splice(this.x, Math.min(count, this.columns - this.x)).length;
    for (let i = 0; i < removed; i++) line.push(blank(this.style));
    this.#touch(this.y);
  }

  #eraseCells(row, from, to) {
    const line = this.lines[row];
    for (let column = from; column < Math.min(to, this.columns); column++) line[column] = blank(this.style);
    this.#touch(row);
  }

  #eraseLine(mode) {
    if (mode === 0) this.#eraseCells(this.y, this.x, this.columns);
    else if (mode === 1) this.#eraseCells(this.y, 0, this.x + 1);
    else if (mode === 2) this.#eraseCells(this.y, 0, this.columns);
  }

  #eraseDisplay(mode) {
    if (mode === 0 || mode === 1) this.#eraseLine(mode);
    if (mode === 0) for (let row = this.y + 1; row < this.rows; row++) this.#eraseCells(row, 0, this.columns);
    if (mode === 1) for (let row = 0; row < this.y; row++) this.#eraseCells(row, 0, this.columns);
    if (mode === 2) for (let row = 0; row < this.rows; row++) this.#eraseCells(row, 0, this.columns);
    if (mode === 3) {
      this.dropped += this.history.length;
      this.history = [];
      this.allDirty = true;
    }
  }

  #moveTo(x, y) {
    this.wrapPending = false;
    this.#touch(this.y);
    const base = this.originMode ? this.top : 0;
    const last = this.originMode ? this.bottom : this.rows - 1;
    this.x = Math.min(Math.max(0, x), this.columns - 1);
    this.y = Math.min(base + Math.max(0, y), last);
    this.#touch(this.y);
  }

  #tabSet() {
    if (!this.tabs) {
      this.tabs = new Set();
      for (let column = 8; column < 1000; column += 8) this.tabs.add(column);
    }
    return this.tabs;
  }

  #setTab() { this.#tabSet().add(this.x); }

  #tab(count) {
    this.wrapPending = false;
    const stops = (column) => (this.tabs ? this.tabs.has(column) : column % 8 === 0);
    for (let step = 0; step < Math.abs(count); step++) {
      do this.x += Math.sign(count); while (this.x > 0 && this.x < this.columns - 1 && !stops(this.x));
      this.x = Math.min(Math.max(0, this.x), this.columns - 1);
    }
  }

  #saveCursor() {
    this.saved = { x: this.x, y: this.y, style: this.style, drawingSet: this.drawingSet, wrap: this.wrapPending };
  }

  #restoreCursor() {
    const saved = this.saved ?? { x: 0, y: 0, style: DEFAULT, drawingSet: false, wrap: false };
    this.#touch(this.y);
    this.x = Math.min(saved.x, this.columns - 1);
    this.y = Math.min(saved.y, this.rows - 1);
    this.style = saved.style;
    this.drawingSet = saved.drawingSet;
    this.wrapPending = saved.wrap;
    this.#touch(this.y);
  }

  #remember(line) {
    this.history.push(line);
    if (this.history.length > this.limit) {
      this.history.shift();
      this.dropped += 1;
    }
  }

  #emptyLine(style, columns = this.columns) { return Array.from({ length: columns }, () => blank(style)); }

  #touch(row) { this.dirty.add(row); }
}

const BOXES = [..."◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·"];

function rgb([red, green, blue]) {
  const hex = (value) => Math.min(255, Math.max(0, value || 0)).toString(16).padStart(2, "0");
  return `#${hex(red)}${hex(green)}${hex(blue)}`;
}

/** The CSS colour of a palette index 16...255: the 6×6×6 cube, then the greys. */
export function paletteColour(index) {
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return rgb([grey, grey, grey]);
  }
  const level = (step) => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return rgb([level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)]);
}
