// The agent's live events: one EventSource, a list for people, and a callback for the parts of the page that follow.

const SHOWN = 200;

export class Events {
  #list; #state; #counter; #heartbeats = 0; #listener; #source = null; #watchdog = 0; #run = null;

  /** @param {(event: {type: string, properties: object}) => void} listener */
  constructor(list, state, counter, listener) {
    this.#list = list;
    this.#state = state;
    this.#counter = counter;
    this.#listener = listener;
  }

  connect() {
    this.#source?.close();
    this.#show("waiting", "Connecting…");
    const source = new EventSource("/event");
    this.#source = source;
    source.onopen = () => this.#show("open", "Live");
    source.onerror = () => this.#show("waiting", "Reconnecting…");
    source.onmessage = ({ data }) => {
      this.#watch();
      const event = JSON.parse(data);
      if (event.type === "server.heartbeat") this.#heartbeats += 1;
      else this.#add(event);
      const count = this.#heartbeats;
      this.#counter.textContent = count === 0 ? "" : count === 1 ? "1 heartbeat" : `${count} heartbeats`;
      this.#listener(event);
    };
    this.#watch();
  }

  // A heartbeat comes every 10 s; after 15 s of silence the connection is dead although nobody has said so.
  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.connect(), 15_000);
  }

  #show(state, text) {
    this.#state.dataset.state = state;
    this.#state.textContent = text;
  }

  #add(event) {
    // The words of one answer come one event each; they share a line that counts them.
    if (event.type === "message.part.delta" && this.#run?.message === event.properties.messageID) {
      this.#run.count += 1;
      this.#run.detail.textContent = `${this.#run.count} pieces`;
      return;
    }
    const item = document.createElement("li");
    const time = document.createElement("time");
    const now = new Date();
    time.dateTime = now.toISOString();
    time.textContent = now.toLocaleTimeString([], { hour12: false });
    const type = document.createElement("code");
    type.textContent = event.type;
    const detail = document.createElement("span");
    detail.textContent = summary(event);
    const isDelta = event.type === "message.part.delta";
    this.#run = isDelta ? { message: event.properties.messageID, count: 1, detail } : null;
    item.append(time, type, detail);
    this.#list.prepend(item);
    while (this.#list.childElementCount > SHOWN) this.#list.lastElementChild.remove();
  }
}

function summary({ type, properties = {} }) {
  if (type === "session.status") return properties.status?.type ?? "";
  if (type === "message.part.delta") return "1 piece";
  if (type === "message.part.updated") return properties.part?.type ?? "";
  if (type === "message.updated") return properties.info?.role ?? "";
  if (properties.info?.title) return properties.info.title;
  return properties.info?.id ?? properties.id ?? properties.sessionID ?? "";
}
