// Puts the page together: files, events, conversation and terminal, each in its own module.

import { call } from "./api.js";
import { Conversation } from "./prompt.js";
import { Events } from "./events.js";
import { Files } from "./files.js";
import { Terminal } from "./terminal.js";

const element = (id) => document.getElementById(id);

const files = new Files(element("tree"), element("preview"), element("preview-heading"));
const conversation = new Conversation(element("log"), element("prompt-form"));
const events = new Events(element("event-list"), element("event-state"), element("heartbeats"), (event) => {
  conversation.receive(event);
  if (event.type === "server.connected") conversation.load().catch(() => {});
});

async function showRepository() {
  const [path, version] = await Promise.all([call("GET", "/path"), call("GET", "/vcs")]);
  const { name } = version;
  element("repository").textContent = name;
  element("branch").textContent = version.branch ? `on ${version.branch}` : "";
  element("directory").textContent = path.directory;
  document.title = `${name} · Demo agent`;
}

const restart = element("terminal-restart");
const state = element("terminal-state");
const terminal = new Terminal(element("terminal"), element("terminal-input"), (name) => {
  state.dataset.state = name;
  state.textContent = { starting: "Starting…", open: "Connected", waiting: "Reconnecting…", exited: "Ended" }[name];
  restart.hidden = name !== "exited";
}, () => files.refresh());

async function startTerminal() {
  try {
    await terminal.start();
  } catch (error) {
    state.dataset.state = "exited";
    state.textContent = error.message;
    restart.hidden = false;
  }
}

restart.addEventListener("click", async () => {
  await startTerminal();
  terminal.focus();
});
element("files-refresh").addEventListener("click", () => files.refresh());

events.connect();
await Promise.allSettled([showRepository(), files.refresh(), startTerminal()]);
const readme = document.querySelector('[role=treeitem][data-path^="README" i]') ??
  document.querySelector('[role=treeitem][data-type="file"]');
if (readme) files.show(readme.dataset.path);
