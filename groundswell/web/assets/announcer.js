/** Tells a screen reader what happens in the chat: one summary every few seconds, no more. */

import { byID } from "./element.js";

const EVERY_MS = 6_000;

export class Announcer {
  #region = byID("announcer");
  #count = 0;
  #last = null;
  #timer = null;

  /** Note comments of others. */
  note(comments) {
    if (comments.length === 0) return;
    this.#count += comments.length;
    this.#last = comments.at(-1);
    this.#timer ??= setTimeout(() => this.#summarise(), EVERY_MS);
  }

  /** Say something at once. */
  say(text) {
    this.#region.textContent = text;
  }

  #summarise() {
    const { userID, commentText } = this.#last;
    const rest = this.#count === 1 ? "" : `${this.#count} new comments. Latest: `;
    this.say(`${rest}${userID}: ${commentText.slice(0, 120)}`);
    this.#count = 0;
    this.#timer = null;
  }
}
