/**
 * Reacting to a comment: a chip toggles its type, the palette offers all of them.
 *
 * The palette opens on the react button (click, or resting on it), on a long press on the comment
 * and with `e` on a focused comment.
 */

import { REACTIONS } from "./comments.js";
import { byID, element } from "./element.js";

const REST_MS = 350;
const LONG_PRESS_MS = 450;
const TREMBLE_PX = 10; // a finger at rest moves this far
const EDGE_PX = 8;

export class Reactions {
  #chat;
  #react;
  #body = byID("chat-body");
  #palette;
  #entry = null;
  #timer = null;
  #pressedAt = [0, 0];

  /** @param {(entry: object, type: string | null) => void} react carries the choice out */
  constructor({ chat, react }) {
    this.#chat = chat;
    this.#react = react;
    this.#palette = element(
      "div.palette",
      { role: "menu", "aria-label": "Reactions", hidden: true },
      ...REACTIONS.map(({ type, emoji, label }) =>
        element(
          "button.choice",
          {
            type: "button",
            role: "menuitemradio",
            title: label,
            "aria-label": label,
            "data-type": type,
            "data-testid": "reaction-choice",
          },
          emoji,
        ),
      ),
    );
    this.#body.append(this.#palette);
    this.#listen();
  }

  /** Show the palette over a comment. */
  open(entry, { focus = false } = {}) {
    const node = this.#chat.nodeOf(entry.key);
    if (!node || !entry.commentID) return;
    this.#entry = entry;
    for (const choice of this.#palette.children) {
      choice.setAttribute("aria-checked", String(choice.dataset.type === entry.ownReaction));
    }
    this.#palette.hidden = false;
    this.#place(node);
    if (focus) this.#palette.firstChild.focus();
  }

  close({ refocus = false } = {}) {
    clearTimeout(this.#timer);
    if (this.#palette.hidden) return;
    this.#palette.hidden = true;
    if (refocus) this.#chat.nodeOf(this.#entry.key)?.focus();
    this.#chat.refresh();
  }

  #listen() {
    const list = byID("comments");
    list.addEventListener("click", (event) => this.#clicked(event));
    list.addEventListener("pointerover", (event) => this.#rested(event));
    list.addEventListener("pointerdown", (event) => this.#pressed(event));
    for (const type of ["pointerup", "pointercancel", "pointermove"]) {
      list.addEventListener(type, (event) => this.#released(event));
    }
    byID("scroller").addEventListener("scroll", () => this.#follow(), { passive: true });
    this.#body.addEventListener("pointerleave", ({ pointerType }) => {
      if (pointerType === "mouse") this.close(); // a finger leaves each time it is lifted
    });
    this.#palette.addEventListener("click", ({ target }) => {
      const type = target.closest(".choice")?.dataset.type;
      if (type) this.#choose(this.#entry, type);
      this.close({ refocus: this.#palette.matches(":focus-within") });
    });
    this.#palette.addEventListener("keydown", (event) => this.#walk(event));
    const closeOutside = ({ target }) => this.#palette.contains(target) || this.close();
    // Captured: it has to come before the press that may open the palette again.
    document.addEventListener("pointerdown", closeOutside, { capture: true });
  }

  #clicked({ target, detail }) {
    const entry = this.#chat.entryOf(target);
    const button = target.closest("button");
    if (!entry || !button) return;
    if (button.classList.contains("chip")) this.#choose(entry, button.dataset.type);
    // `detail` is 0 when a key made the click: then the focus goes along.
    if (button.classList.contains("react")) this.open(entry, { focus: detail === 0 });
  }

  #choose(entry, type) {
    this.#react(entry, entry.ownReaction === type ? null : type);
  }

  #rested({ target, pointerType }) {
    if (pointerType !== "mouse") return;
    clearTimeout(this.#timer);
    if (!target.closest(".action.react")) return;
    const entry = this.#chat.entryOf(target);
    this.#timer = setTimeout(() => this.open(entry), REST_MS);
  }

  #pressed({ target, pointerType, clientX, clientY }) {
    if (pointerType === "mouse" || target.closest("button")) return;
    const entry = this.#chat.entryOf(target);
    if (!entry) return;
    clearTimeout(this.#timer);
    this.#pressedAt = [clientX, clientY];
    this.#timer = setTimeout(() => this.open(entry), LONG_PRESS_MS);
  }

  #released({ type, pointerType, clientX, clientY }) {
    if (pointerType === "mouse") return;
    const [x, y] = this.#pressedAt;
    if (type === "pointermove" && Math.hypot(clientX - x, clientY - y) < TREMBLE_PX) return;
    clearTimeout(this.#timer);
  }

  #walk(event) {
    const choices = [...this.#palette.children];
    const at = choices.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) choices.at((at + step) % choices.length).focus();
    if (event.key === "Escape") this.close({ refocus: true });
    if (step || event.key === "Escape") event.preventDefault();
  }

  /** Stay with the comment when the list moves under the palette, as long as it is in sight. */
  #follow() {
    if (this.#palette.hidden) return;
    const node = this.#chat.nodeOf(this.#entry.key);
    const body = this.#body.getBoundingClientRect();
    const comment = node?.getBoundingClientRect();
    if (comment?.bottom > body.top && comment.top < body.bottom) this.#place(node);
    else this.close();
  }

  #place(node) {
    const body = this.#body.getBoundingClientRect();
    const comment = node.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.#palette;
    const left = Math.min(comment.right - body.left, body.width) - width - EDGE_PX;
    const above = comment.top - body.top - height + EDGE_PX;
    const top = above < EDGE_PX ? comment.bottom - body.top - EDGE_PX : above;
    this.#palette.style.left = `${Math.max(EDGE_PX, left)}px`;
    this.#palette.style.top = `${Math.min(top, body.height - height - EDGE_PX)}px`;
  }
}
