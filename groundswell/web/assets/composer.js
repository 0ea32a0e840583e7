/**
 * Writing: grows to four lines, counts near the limit, and never loses a text. What is refused
 * comes back into the field with the reason, and the ring on the button shows when to retry.
 */

import { byID } from "./element.js";

const MOST_LINES = 4;
const COUNT_FROM = 0.8; // of the limit

/** Codes that say something to the person that the server's title does not. */
const WORDS = {
  rate_limited: "You are writing faster than this chat allows.",
  text_too_long: "This comment is too long.",
  text_forbidden: "This comment has characters that are not allowed here.",
  token_missing: "You are not signed in.",
  token_expired: "Your sign-in has run out.",
  disconnected: "The connection broke before the comment was sent.",
  timeout: "No answer came. Sending it again is safe.",
  closed: "The stream has ended.",
};

export class Composer {
  #send;
  #form = byID("composer");
  #input = byID("composer-input");
  #button = byID("composer-send");
  #note = byID("composer-note");
  #counter = byID("counter");
  #quote = byID("quote");
  #limit = 500;
  #replyTo = null;
  #retryRef = null; // of a comment whose outcome is unknown: the same ref makes a retry safe
  #cooldown = null;

  /** @param {(comment: {text: string, replyTo: object | null, ref: string | null}) => void} send */
  constructor({ send }) {
    this.#send = send;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#submit();
      } else if (event.key === "Escape" && this.#replyTo) {
        this.reply(null);
      }
    });
    this.#input.addEventListener("input", () => {
      this.#retryRef = null; // another text is another comment
      this.#changed();
    });
    byID("quote-cancel").addEventListener("click", () => this.reply(null));
  }

  /** The longest text in characters, as the server's `welcome` says. */
  set limit(characters) {
    this.#limit = characters;
    this.#changed();
  }

  /** Write to this comment, or with null to everybody. */
  reply(entry) {
    this.#replyTo = entry;
    this.#quote.hidden = entry === null;
    byID("quote-text").textContent = entry ? `${entry.userID}: ${entry.text}` : "";
    this.#input.placeholder = entry ? "Write a reply" : "Say something";
    this.#input.focus({ preventScroll: true });
  }

  /** Give a text back that was refused, and say why. */
  giveBack({ text, replyTo, ref }, refusal) {
    const written = this.#input.value;
    this.#input.value = written ? `${text}\n${written}` : text;
    if (!written) this.#retryRef = refusal.code === "timeout" ? ref : null;
    if (replyTo && !this.#replyTo) this.reply(replyTo);
    this.#changed();
    this.explain(refusal);
    if (refusal.retryAfter) this.#coolDown(refusal.retryAfter);
  }

  /** Say why something was refused. */
  explain({ code, title, detail, retryAfter }) {
    const why = WORDS[code] ?? `${title}${detail ? `: ${detail}` : ""}.`;
    const when = retryAfter ? ` You can send again in ${Math.ceil(retryAfter)} s.` : "";
    this.#note.textContent = why + when;
    this.#note.hidden = false;
  }

  #submit() {
    const text = this.#input.value.trim();
    if (!text || this.#length(text) > this.#limit || this.#cooldown) return;
    const comment = { text, replyTo: this.#replyTo, ref: this.#retryRef };
    this.#input.value = "";
    this.#retryRef = null;
    this.#note.hidden = true;
    if (this.#replyTo) this.reply(null);
    this.#input.focus({ preventScroll: true }); // the button is disabled now; a phone keeps its keys
    this.#changed();
    this.#send(comment);
  }

  #changed() {
    const length = this.#length(this.#input.value.trim());
    const left = this.#limit - length;
    this.#counter.hidden = length < this.#limit * COUNT_FROM;
    this.#counter.textContent = `${length} / ${this.#limit}`;
    this.#counter.classList.toggle("over", left < 0);
    this.#button.disabled = length === 0 || left < 0 || this.#cooldown !== null;
    this.#grow();
  }

  /** Characters as the server counts them: code points, not UTF-16 units. */
  #length(text) {
    return [...text].length;
  }

  #grow() {
    const { style } = this.#input;
    style.height = "auto";
    const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(this.#input);
    const padding = parseFloat(paddingTop) + parseFloat(paddingBottom);
    const most = parseFloat(lineHeight) * MOST_LINES + padding;
    style.height = `${Math.min(this.#input.scrollHeight, most)}px`;
    style.overflowY = this.#input.scrollHeight > most ? "auto" : "hidden";
  }

  #coolDown(seconds) {
    clearTimeout(this.#cooldown);
    const duration = seconds * 1000;
    this.#form.classList.add("cooling");
    byID("cooldown").animate([{ strokeDashoffset: 0 }, { strokeDashoffset: 1 }], { duration });
    this.#cooldown = setTimeout(() => {
      this.#cooldown = null;
      this.#form.classList.remove("cooling");
      this.#note.hidden = true;
      this.#changed();
    }, duration);
    this.#changed();
  }
}
