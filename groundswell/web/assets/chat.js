/**
 * The list of comments: what changed in the model is drawn once a frame.
 *
 * At the bottom the list follows; scrolled up, or while somebody points at a comment's buttons or
 * walks the list by keyboard, it holds still: what comes is appended below as long as there is
 * room for it and counted on the pill. At most 200 comments are in the document.
 */

import { CommentView } from "./comment-view.js";
import { byID, count, element, isCalm } from "./element.js";

const MOST_NODES = 200;
const HAND_MS = 1000; // so long after a key, wheel or finger the list may still be moving
const BOTTOM_PX = 48; // who scrolls down to here is taken to the end
const HOLDING = ".actions:hover, .comment:focus-visible, .palette:not([hidden])";
const SLIDE_MS = 200;
const SLIDE_MOST_PX = 240;
const SLIDE_EVERY_MS = 300; // faster than this there is no time for a slide to be seen

export class Chat {
  #comments;
  #session;
  #scroller = byID("scroller");
  #list = byID("comments");
  #pill = byID("new-pill");
  #pillText = byID("new-pill-text");
  #views = new Map(); // key -> CommentView
  #threads = new Map(); // key of the root -> {node, replies, label}
  #pinned = true;
  #top = 0; // where the list was scrolled to last
  #movedAt = -Infinity; // when a hand was on the list last
  #frozen = false; // comments were left out while the list held still
  #unseen = 0;
  #gap = false;
  #scheduled = false;
  #lastSlide = 0;

  constructor({ comments, session }) {
    this.#comments = comments;
    this.#session = session;
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    for (const hand of ["wheel", "touchmove", "keydown", "pointerdown"]) {
      this.#scroller.addEventListener(hand, () => this.#moved(), { passive: true });
    }
    this.#scroller.addEventListener("focusout", () => this.refresh());
    this.#scroller.addEventListener("pointerleave", () => this.refresh());
    this.#pill.addEventListener("click", () => this.showLatest());
    // The list grows once more when what came into sight has got its true size.
    const follow = new ResizeObserver(() => this.#holds() || this.#toBottom());
    follow.observe(this.#scroller);
    follow.observe(this.#list);
  }

  /** The entry that an element of the list belongs to, or null. */
  entryOf(target) {
    const node = target instanceof Element ? target.closest(".comment") : null;
    return node ? this.#comments.byKey(node.dataset.key) : null;
  }

  nodeOf(key) {
    return this.#views.get(key)?.node ?? null;
  }

  /** Tell that comments came; they are drawn with the next frame. */
  arrived(number) {
    if (this.#holds()) this.#unseen += number;
    this.refresh();
  }

  /** The stream could not resume: the list is replaced, or the pill offers it. */
  missed() {
    this.#gap = true;
    this.refresh();
  }

  refresh() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => this.#draw());
  }

  /** Go to the newest comment and follow again. */
  showLatest() {
    this.#pinned = true;
    const focused = document.activeElement;
    // Not the composer: on a phone that would open the keyboard.
    if (focused === this.#pill || focused?.closest(".comment")) {
      this.#scroller.focus({ preventScroll: true });
    }
    this.#drawAll();
    this.#caughtUp();
  }

  /** Draw everything anew, for instance because the person became a moderator. */
  rebuild() {
    this.#views.clear();
    this.#drawAll();
  }

  #holds() {
    if (!this.#pinned) return true;
    return byID("chat-body").querySelector(HOLDING) !== null;
  }

  #draw() {
    this.#scheduled = false;
    const holds = this.#holds();
    const changes = this.#comments.takeChanges();
    if (changes.reset && !holds) {
      this.#drawAll();
    } else if (holds) {
      this.#applyHeld(changes);
    } else if (this.#frozen) {
      this.#drawAll();
    } else {
      this.#apply(changes);
    }
    byID("empty").hidden = this.#comments.size > 0 || !byID("loading").hidden;
    if (holds) this.#showPill();
    else this.#caughtUp();
  }

  #apply(changes) {
    const slides = changes.added.size > 0 && this.#hasTimeToSlide();
    const before = slides ? this.#scroller.scrollHeight : 0;
    for (const key of changes.added) this.#append(this.#comments.byKey(key));
    for (const key of changes.changed) this.#update(this.#comments.byKey(key));
    if (slides) this.#slide(this.#scroller.scrollHeight - before);
    for (const key of changes.removed) this.#discard(key);
    for (const key of changes.dropped) this.#discard(key);
    this.#toBottom();
  }

  /**
   * While the list holds still nothing above the eye moves: no comment is dropped. What was
   * deleted goes at once all the same.
   */
  #applyHeld(changes) {
    for (const key of changes.removed) this.#discard(key);
    if (changes.reset) this.#frozen = true;
    if (this.#views.size + changes.added.size > MOST_NODES) this.#frozen = true;
    if (!this.#frozen) {
      for (const key of changes.added) this.#append(this.#comments.byKey(key));
    }
    for (const key of changes.changed) this.#update(this.#comments.byKey(key));
    if (changes.dropped.size > 0) this.#frozen = true;
  }

  #drawAll() {
    this.#comments.takeChanges();
    const old = new Map(this.#views);
    this.#views.clear();
    this.#threads.clear();
    const nodes = this.#gap ? [divider()] : [];
    for (const root of this.#comments.roots) {
      nodes.push(this.#thread(root, old));
      for (const reply of root.replies) this.#appendReply(reply, old);
      this.#update(root);
    }
    this.#list.replaceChildren(...nodes);
    this.#frozen = false;
    this.#toBottom();
  }

  #append(entry) {
    if (entry.parent) this.#appendReply(entry);
    else this.#list.append(this.#thread(entry));
  }

  #thread(entry, old) {
    return this.#ownThread(this.#view(entry, old).node);
  }

  #appendReply(entry, old) {
    const thread = this.#threads.get(entry.parent.key);
    if (!thread) return; // its root came while the list was frozen
    if (!thread.replies) {
      thread.label = element("button.replies-label", { type: "button", "aria-expanded": "true" });
      thread.list = element("div.replies-list");
      const facts = { "data-testid": "replies", "data-parent-id": entry.parent.commentID };
      thread.replies = element("div.replies", facts, thread.label, thread.list);
      thread.label.addEventListener("click", () => {
        thread.list.hidden = !thread.list.hidden;
        thread.label.setAttribute("aria-expanded", String(!thread.list.hidden));
      });
      thread.node.append(thread.replies);
    }
    thread.list.append(this.#view(entry, old).node);
  }

  #view(entry, old) {
    const view = old?.get(entry.key) ?? new CommentView(entry, this.#session);
    if (old?.has(entry.key)) view.update(entry);
    this.#views.set(entry.key, view);
    return view;
  }

  #update(entry) {
    this.#views.get(entry.key)?.update(entry);
    const thread = this.#threads.get(entry.key);
    if (!thread?.replies) return;
    const number = entry.replyCount;
    thread.label.textContent = number === 1 ? "1 reply" : `${count(number)} replies`;
    if (number === 0) {
      thread.replies.remove();
      thread.replies = thread.list = null;
    }
  }

  /** Take a comment out; replies that are still there stand on their own from now on. */
  #discard(key) {
    this.#views.get(key)?.node.remove();
    this.#views.delete(key);
    const thread = this.#threads.get(key);
    this.#threads.delete(key);
    const replies = [...(thread?.list?.children ?? [])];
    thread?.node.replaceWith(...replies.map((node) => this.#ownThread(node)));
  }

  #ownThread(comment) {
    const node = element("div.thread", {}, comment);
    this.#threads.set(comment.dataset.key, { node, replies: null, label: null, list: null });
    return node;
  }

  #hasTimeToSlide() {
    const now = performance.now();
    const seldom = now - this.#lastSlide > SLIDE_EVERY_MS;
    this.#lastSlide = now;
    return seldom && !isCalm();
  }

  #slide(grown) {
    if (grown <= 0 || grown > SLIDE_MOST_PX) return;
    this.#list.animate([{ transform: `translateY(${grown}px)` }, { transform: "none" }], {
      duration: SLIDE_MS,
      easing: "cubic-bezier(0.2, 0.8, 0.2, 1)",
    });
  }

  #moved() {
    this.#movedAt = performance.now();
  }

  /**
   * Up, with a hand on it, is a person's move. Without a hand it is the list's own: comments that
   * are dropped, or get their true size as they come into sight, pull it up as well.
   */
  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const moved = scrollTop - this.#top;
    const below = scrollHeight - scrollTop - clientHeight;
    const was = this.#pinned;
    this.#top = scrollTop;
    if (below <= 1 || (moved > 0 && below < BOTTOM_PX)) this.#pinned = true;
    else if (moved < -1 && performance.now() - this.#movedAt < HAND_MS) this.#pinned = false;
    if (this.#pinned !== was) this.refresh();
  }

  #toBottom() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#top = this.#scroller.scrollTop;
  }

  #showPill() {
    this.#pill.hidden = this.#unseen === 0 && !this.#gap;
    this.#pillText.textContent = this.#gap
      ? "You missed some comments: show latest"
      : `${count(this.#unseen)} new`;
  }

  #caughtUp() {
    this.#unseen = 0;
    this.#gap = false;
    this.#pill.hidden = true;
  }
}

function divider() {
  return element("p.divider", { "data-testid": "missed" }, "You missed some comments before these");
}
