/** The guest's name under the composer, and the dialog that changes it. */

import { byID } from "./element.js";

export class Name {
  #session;
  #button = byID("name-button");
  #dialog = byID("name-dialog");
  #input = byID("name-input");

  /** @param {() => void} renamed is called when another name was chosen */
  constructor({ session, renamed }) {
    this.#session = session;
    this.#button.addEventListener("click", () => {
      this.#input.value = session.name || session.userID;
      this.#dialog.showModal();
      this.#input.select();
    });
    byID("name-cancel").addEventListener("click", () => this.#dialog.close());
    byID("name-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#dialog.close();
      session.rename(this.#input.value.trim());
      renamed();
    });
  }

  /** Show who writes; only a guest may change it. */
  show() {
    const { userID, isGuest, moderates } = this.#session;
    this.#button.hidden = userID === null;
    this.#button.disabled = !isGuest;
    this.#button.textContent = moderates ? `${userID} · moderator` : (userID ?? "");
    this.#button.title = isGuest ? "Change your name" : "";
  }
}
