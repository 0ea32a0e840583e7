/** How one comment looks: built once, then only its chips, state and thread label change. */

import { REACTIONS } from "./comments.js";
import { count, element, isCalm } from "./element.js";

const HUES = 12;
const LARGE_EMOJI = 6; // more than these in a row are set like text
const EMOJI = String.raw`\p{Extended_Pictographic}|\p{Regional_Indicator}{2}`;
const EMOJI_ALONE = new RegExp(`^(?:(?:${EMOJI})[\u{1f3fb}-\u{1f3ff}\ufe0f]*\u200d?\\s*)+$`, "u");
const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hour12: false });
const segments = new Intl.Segmenter("en", { granularity: "grapheme" });

export class CommentView {
  #chips = null;
  #chipByType = new Map();

  constructor(entry, { moderates }) {
    this.key = entry.key;
    const hue = String(hueOf(entry.userID));
    this.#author = element("bdi.author", { "data-hue": hue }, entry.userID);
    this.#body = element(
      "div.body",
      {},
      this.#author,
      element(
        isLoneEmoji(entry.text) ? "span.text.emoji" : "span.text",
        { "data-testid": "comment-text", dir: "auto" },
        entry.text,
      ),
    );
    this.node = element(
      "article.comment",
      { "data-testid": "comment", "data-key": entry.key, tabindex: "-1" },
      element("span.avatar", { "data-hue": hue, "aria-hidden": "true" }, initialOf(entry.userID)),
      this.#body,
      actions(moderates),
    );
    if (entry.replyTo && !entry.parent) {
      this.#body.prepend(element("span.orphan", {}, "replying to an earlier comment"));
    }
    this.update(entry);
  }

  #author;
  #body;

  update(entry) {
    if (entry.commentID) this.node.dataset.commentId = entry.commentID;
    this.node.classList.toggle("sending", entry.state === "sending");
    if (entry.timestamp && !this.#author.title) {
      this.#author.title = clock.format(new Date(entry.timestamp));
    }
    this.#updateChips(entry);
  }

  #updateChips(entry) {
    for (const { type, plural, emoji, label } of REACTIONS) {
      const own = entry.ownReaction === type;
      const number = Math.max(entry.counts[plural] ?? 0, own ? 1 : 0);
      const chip = this.#chipByType.get(type);
      if (number === 0) {
        chip?.remove();
        this.#chipByType.delete(type);
      } else {
        roll(chip ?? this.#addChip(type, emoji), { number, own, label });
      }
    }
    if (this.#chips && this.#chipByType.size === 0) {
      this.#chips.remove();
      this.#chips = null;
    }
  }

  #addChip(type, emoji) {
    if (!this.#chips) {
      this.#chips = element("div.chips");
      this.#body.append(this.#chips);
    }
    const tabindex = String(this.node.tabIndex); // a stop of the tab key if the comment is one
    const chip = element(
      "button.chip",
      { type: "button", tabindex, "data-testid": "reaction-chip", "data-type": type },
      element("span", { "aria-hidden": "true" }, emoji),
      element("span.number"),
    );
    const order = REACTIONS.map((row) => row.type);
    const next = [...this.#chips.children].find(
      (other) => order.indexOf(other.dataset.type) > order.indexOf(type),
    );
    this.#chips.insertBefore(chip, next ?? null);
    this.#chipByType.set(type, chip);
    return chip;
  }
}

/** Set a chip's count; a number that changes rolls in instead of blinking. */
function roll(chip, { number, own, label }) {
  const digits = chip.lastChild;
  const text = count(number);
  chip.classList.toggle("own", own);
  chip.setAttribute("aria-pressed", String(own));
  if (digits.textContent === text) return;
  const before = Number(digits.dataset.number ?? 0);
  digits.dataset.number = number;
  digits.textContent = text;
  chip.setAttribute("aria-label", `${label}: ${text}`);
  if (before > 0 && !isCalm()) {
    const from = number > before ? "60%" : "-60%";
    digits.animate(
      [{ transform: `translateY(${from})`, opacity: 0 }, { transform: "none", opacity: 1 }],
      { duration: 180, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" },
    );
  }
}

function actions(moderates) {
  const bar = element(
    "div.actions",
    {},
    action("react", "React"),
    action("reply", "Reply"),
  );
  if (moderates) bar.append(action("delete", "Delete"));
  return bar;
}

function action(name, label) {
  return element(`button.action.${name}`, {
    type: "button",
    tabindex: "-1",
    title: label,
    "aria-label": label,
    "data-testid": `${name}-button`,
  });
}

/** One of 12 hues by hash of the name (FNV-1a), the same on every screen. */
export function hueOf(userID) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < userID.length; i += 1) {
    hash = Math.imul(hash ^ userID.charCodeAt(i), 0x01000193);
  }
  return ((hash ^ (hash >>> 15)) >>> 0) % HUES;
}

/** Whether a text is nothing but a few emoji, which are then set large. */
export function isLoneEmoji(text) {
  if (text.length > LARGE_EMOJI * 12 || !EMOJI_ALONE.test(text)) return false;
  const graphemes = [...segments.segment(text)].filter((one) => one.segment.trim() !== "");
  return graphemes.length <= LARGE_EMOJI;
}

function initialOf(userID) {
  return (/[A-Za-z0-9]/.exec(userID)?.[0] ?? "?").toUpperCase();
}
