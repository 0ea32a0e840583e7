/**
 * A live stream of comments and reactions, kept alive: the client of the Groundswell protocol.
 *
 *     const stream = connect({ videoID: "demo", getToken: async () => token,
 *       onWelcome: (welcome) => ..., onUpdate: (update) => ..., onState: (state) => ... });
 *     await stream.comment("Hello");
 *
 * Comments reach `onUpdate` exactly once and in the video's order. `onWelcome` with
 * `recovered: false` means: throw away what you show, these are the newest.
 */

import { Alarms, RecentIDs, browser, claimsOf } from "./environment.js";
import { Refusal, Requests } from "./requests.js";
import { Backoff, verdict } from "./retry.js";

export { Refusal };

const SUBPROTOCOL = "groundswell.v1";
const CONNECT_TIMEOUT_MS = 12_000; // until the welcome
const REQUEST_TIMEOUT_MS = 15_000;
const STABLE_MS = 5_000; // a connection that lived this long resets the backoff
const SETTLE_MS = 400; // catch-up frames come in one go; then the stream counts as live
const RENEW_BEFORE_MS = 60_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const REMEMBERED_IDS = 4_096; // more than a resume can overlap
const OPEN = 1;
const encoder = new TextEncoder();

/** Open a stream; the `on...` options are listeners for the events of the same name. */
export function connect(options) {
  const stream = new LiveStream(options);
  stream.start();
  return stream;
}

/**
 * Events (`CustomEvent`, facts in `detail`): `welcome`, `update`, `state`, `authenticated`,
 * `unauthenticated` (a `Refusal`), `closed` ({code, reason}).
 * States: `connecting`, `live`, `catching-up`, `reconnecting` ({retryAt}), `offline`, `closed`.
 */
export class LiveStream extends EventTarget {
  #videoID;
  #baseURL;
  #getToken;
  #environment;
  #backoff;
  #requests;
  #socket = null;
  #connected = false; // a welcome has come over the present socket
  #attempt = 0; // tells a late answer for an abandoned socket from one for the present one
  #position = null;
  #state = { name: "closed", code: null, reason: "not started" };
  #seen = new RecentIDs(REMEMBERED_IDS);
  #silenceMs = 50_000;
  #wantsFreshToken = false;
  #alarms;
  #counts = { messages: 0, bytes: 0, connects: 0, resumes: 0 };
  #refs = 0;
  #refPrefix;

  constructor({ videoID, baseURL = globalThis.location?.origin, getToken = null, ...rest }) {
    super();
    this.#videoID = videoID;
    this.#baseURL = baseURL;
    this.#getToken = getToken;
    this.#environment = { ...browser, ...rest.environment };
    this.#alarms = new Alarms(this.#environment);
    this.#backoff = new Backoff(this.#environment.random);
    this.#refPrefix = Math.floor(this.#environment.random() * 2 ** 48).toString(36);
    this.#requests = new Requests({
      // Nothing but `auth` may go out before the welcome has come.
      transmit: (message) =>
        (this.#connected || message.type === "auth") && this.#transmit(message),
      timers: this.#environment,
      timeoutMs: REQUEST_TIMEOUT_MS,
    });
    for (const name of ["Welcome", "Update", "State", "Closed"]) {
      const listener = rest[`on${name}`];
      if (listener) this.addEventListener(name.toLowerCase(), (e) => listener(e.detail));
    }
    this.#environment.onNetwork((online) => this.#networkChanged(online));
  }

  get state() {
    return this.#state;
  }

  /** What happened so far; a fresh object at each call. */
  statistics() {
    return { ...this.#counts, position: this.#position, unanswered: this.#requests.size };
  }

  /** Connect, or come back after `closed`. */
  start() {
    if (this.#state.name !== "closed") return;
    this.#backoff.reset();
    this.#open();
  }

  /** Leave for good. */
  close() {
    this.#end(1000, "bye");
  }

  /** Try again now instead of at `retryAt`. */
  retryNow() {
    if (this.#state.name === "reconnecting") this.#open();
  }

  /** Fetch a token anew and tell the server who is here from now on. */
  async authenticate() {
    const token = await this.#getToken?.({ fresh: true });
    if (token && this.#connected) this.#sendToken(token);
  }

  /** A name for a message that nobody used before. */
  newRef() {
    this.#refs += 1;
    return `${this.#refPrefix}-${this.#refs}`;
  }

  /** Post a comment; resolves with the ack. The same `ref` never makes a second comment. */
  comment(commentText, { replyToCommentID, ref = this.newRef() } = {}) {
    const message = { type: "comment", ref, commentText };
    if (replyToCommentID) message.replyToCommentID = replyToCommentID;
    return this.#requests.submit(message, { repeatable: true });
  }

  /** React to a comment, or take the reaction back with `null`. */
  react(commentID, reactionType) {
    const message = { type: "reaction", ref: this.newRef(), commentID, reactionType };
    return this.#requests.submit(message, { repeatable: true });
  }

  /** React to the video itself. */
  heart(reactionType = "love") {
    const message = { type: "reaction", ref: this.newRef(), reactionType };
    return this.#requests.submit(message, { repeatable: false });
  }

  async #open() {
    const attempt = this.#abandonSocket();
    if (!this.#environment.isOnline()) return this.#become("offline");
    this.#become("connecting");
    this.#alarms.set("watchdog", CONNECT_TIMEOUT_MS, () => this.#lost(1006, "no welcome came"));
    let token = null;
    try {
      token = await this.#getToken?.({ fresh: this.#wantsFreshToken });
    } catch {
      if (attempt === this.#attempt) this.#lost(1006, "no token could be had");
      return;
    }
    if (attempt !== this.#attempt) return;
    this.#wantsFreshToken = false;
    const socket = new this.#environment.WebSocket(this.#address(), [SUBPROTOCOL]);
    this.#socket = socket;
    socket.onopen = () => token && this.#sendToken(token);
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
  }

  #address() {
    const path = `/live/${encodeURIComponent(this.#videoID)}/comments/stream`;
    const url = new URL(path, this.#baseURL);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (this.#position) url.searchParams.set("position", this.#position);
    return url.href;
  }

  #take(data) {
    this.#counts.messages += 1;
    this.#counts.bytes += encoder.encode(data).byteLength;
    const message = JSON.parse(data);
    if (message.position && message.type !== "ack") this.#position = message.position;
    this.#listen();
    if (message.type === "welcome") this.#welcome(message);
    else if (message.type === "update") this.#update(message);
    else if (message.type === "ping") this.#transmit({ type: "pong" });
    else if (message.type === "ack" || message.type === "error") this.#requests.answer(message);
  }

  #welcome(message) {
    if (!message.position || !Array.isArray(message.comments)) {
      return this.#end("server_too_old", "the welcome is not one that this page understands");
    }
    this.#silenceMs = (message.limits?.ping_interval ?? 25) * 2000;
    if (!message.recovered) this.#seen.clear();
    const comments = message.comments.filter((one) => this.#seen.add(one.commentID));
    const again = this.#counts.connects > 0;
    if (!this.#connected) {
      this.#connected = true;
      this.#counts.connects += 1;
      if (message.recovered) this.#counts.resumes += 1;
      this.#alarms.set("stable", STABLE_MS, () => this.#backoff.reset());
    }
    this.#listen();
    this.#emit("welcome", { ...message, comments, again });
    this.#become(message.recovered ? "catching-up" : "live");
    if (message.recovered) this.#alarms.set("settle", SETTLE_MS, () => this.#become("live"));
    this.#requests.resume();
  }

  #update(message) {
    const comments = (message.comments ?? []).filter((one) => this.#seen.add(one.commentID));
    this.#emit("update", { ...message, comments });
  }

  /** Being heard from puts off the moment at which the connection counts as dead. */
  #listen() {
    this.#alarms.set("watchdog", this.#silenceMs, () => this.#lost(1006, "no sign of life"));
  }

  #sendToken(token) {
    const expires = claimsOf(token)?.exp;
    if (expires) this.#renewAt(expires * 1000 - RENEW_BEFORE_MS);
    const message = { type: "auth", ref: this.newRef(), token };
    this.#requests.submit(message, { repeatable: false }).then(
      () => this.#emit("authenticated", { token }),
      (refusal) => refusal.code !== "disconnected" && this.#emit("unauthenticated", refusal),
    );
  }

  #renewAt(time) {
    const wait = Math.max(1_000, time - this.#environment.now());
    this.#alarms.set("renew", Math.min(wait, LONGEST_TIMER_MS), () => {
      this.authenticate().catch((error) => this.#emit("unauthenticated", error));
    });
  }

  async #lost(code, reason) {
    const served = this.#connected;
    this.#requests.interrupt();
    const attempt = this.#abandonSocket();
    const { reconnect, waitMs, freshToken, attempts } = verdict(code, reason);
    if (!reconnect) return this.#end(code, reason);
    this.#wantsFreshToken ||= freshToken;
    this.#backoff.escalate(attempts);
    const wait = this.#backoff.next(waitMs);
    this.#become("reconnecting", { retryAt: this.#environment.now() + wait });
    this.#alarms.set("retry", wait, () => this.#open());
    // A refused upgrade shows as 1006 and nothing else: a plain GET says why.
    if (served || this.#backoff.attempts < 2) return;
    const ending = await this.#environment.diagnose(this.#baseURL, this.#videoID);
    if (ending && attempt === this.#attempt) this.#end(ending.code, ending.title);
  }

  #end(code, reason) {
    this.#abandonSocket();
    this.#alarms.clear("retry", "renew");
    this.#requests.abandon(new Refusal({ code: "closed", title: "The stream has ended" }));
    this.#become("closed", { code, reason });
    this.#emit("closed", { code, reason });
  }

  #abandonSocket() {
    const socket = this.#socket;
    this.#socket = null;
    this.#connected = false;
    this.#attempt += 1;
    this.#alarms.clear("retry", "watchdog", "stable", "settle");
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(1000);
    }
    return this.#attempt;
  }

  #networkChanged(online) {
    if (this.#state.name === "closed") return;
    if (online) {
      if (this.#state.name === "offline" || this.#state.name === "reconnecting") this.#open();
    } else {
      this.#requests.interrupt();
      this.#abandonSocket();
      this.#become("offline");
    }
  }

  #transmit(message) {
    if (this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #become(name, facts = {}) {
    this.#state = { name, ...facts };
    this.#emit("state", this.#state);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
