/** How the stream is doing: the connection pill, the viewer count, and why it has ended. */

import { byID, count, element, icon } from "./element.js";

const WORDS = {
  connecting: "Connecting",
  live: "Connected",
  "catching-up": "Catching up",
  offline: "Offline",
  closed: "Ended",
};

/** Endings by close code or problem code: what the person is told, whether trying helps. */
const ENDINGS = {
  4500: ["Sign in to watch", "This room is open to signed-in viewers only."],
  4501: ["Your sign-in was not accepted", "Sign in again on the site that shows this broadcast."],
  4502: ["This page had to stop", "The server did not understand it. Reload to get a new one."],
  4503: ["You are banned from this room", "You can no longer read or write in this chat."],
  no_such_video: ["This room does not exist", "The link may be wrong, or the broadcast is over."],
  origin_refused: ["This site may not show the chat", "The server accepts other origins only."],
  server_too_old: [
    "The server is too old",
    "It does not speak the protocol of this page. Try again after its next update.",
  ],
};
const ROOM_CLOSED = ["The room is closed", "The broadcast is over. Thank you for being here."];
const FINAL = new Set([4503, "no_such_video", "origin_refused"]);

export class Status {
  #stream;
  #pill = byID("connection");
  #text = byID("connection-text");
  #viewers = byID("viewers");
  #viewersText = element("span");
  #timer = null;

  constructor({ stream }) {
    this.#stream = stream;
    this.#viewers.append(icon("viewers"), this.#viewersText);
    this.#pill.addEventListener("click", () => stream.retryNow());
    byID("ending-button").addEventListener("click", () => stream.start());
  }

  /** Show a state of the stream. */
  show(state) {
    clearInterval(this.#timer);
    this.#pill.dataset.state = state.name;
    this.#pill.disabled = state.name !== "reconnecting";
    this.#pill.title = state.name === "reconnecting" ? "Try again now" : "";
    document.body.dataset.stream = state.name;
    if (state.name === "reconnecting") {
      const tick = () => this.#countDown(state.retryAt);
      this.#timer = setInterval(tick, 1_000);
      tick();
    } else {
      this.#text.textContent = WORDS[state.name];
    }
    this.#showEnding(state);
  }

  /** Show how many watch; null where nobody knows. */
  showViewers(viewers) {
    this.#viewers.hidden = viewers === null;
    if (viewers === null) return;
    this.#viewersText.textContent = count(viewers);
    this.#viewers.title = `${count(viewers)} watching`;
  }

  #countDown(retryAt) {
    const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    this.#text.textContent = seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting";
  }

  #showEnding({ name, code, reason }) {
    const ending = byID("ending");
    ending.hidden = name !== "closed" || code === 1000;
    if (ending.hidden) return;
    const [title, text] = ENDINGS[code] ?? ROOM_CLOSED;
    byID("ending-title").textContent = title;
    byID("ending-text").textContent = ENDINGS[code] ? text : `${text} (${code}: ${reason})`;
    byID("ending-button").hidden = FINAL.has(code);
  }
}
