/** The keyboard: arrows walk the list, letters act on the comment that has the focus. */

import { byID } from "./element.js";

const STEPS = { ArrowUp: -1, ArrowDown: 1 };

/** @param {Record<string, Function>} acts what `reply`, `react`, `remove` and `curious` do */
export function listenToKeys({ chat, reply, react, remove, curious }) {
  const scroller = byID("scroller");
  scroller.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const entry = chat.entryOf(event.target);
    const act = { r: reply, e: react, Delete: remove }[event.key];
    if (event.key in STEPS) walk(scroller, STEPS[event.key]);
    else if (entry && event.key === "Escape") chat.showLatest();
    else if (entry && act) act(entry);
    else return;
    event.preventDefault();
  });
  scroller.addEventListener("focusin", ({ target }) => reach(target.closest(".comment"), 0));
  scroller.addEventListener("focusout", ({ target }) => reach(target.closest(".comment"), -1));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, dialog");
    if (event.key === "i" && !typing && !event.ctrlKey && !event.metaKey) curious();
  });
}

function walk(scroller, step) {
  const comments = [...scroller.querySelectorAll(".comment")];
  const at = comments.indexOf(document.activeElement?.closest(".comment"));
  const next = at === -1 ? comments.at(-1) : comments[at + step];
  next?.focus();
}

/** Only the comment that has the focus, and its buttons, are stops of the tab key. */
function reach(comment, tabindex) {
  if (!comment) return;
  for (const node of [comment, ...comment.querySelectorAll("button")]) node.tabIndex = tabindex;
}
