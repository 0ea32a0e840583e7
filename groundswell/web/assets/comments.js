/**
 * The comments that a page holds: threads, reactions, deletions, and one's own that wait for
 * their ack. Bounded, without a page; a view asks `takeChanges` once a frame what to redraw.
 */

export const REACTIONS = [
  { type: "like", plural: "likes", emoji: "👍", label: "Like" },
  { type: "love", plural: "loves", emoji: "❤️", label: "Love" },
  { type: "haha", plural: "hahas", emoji: "😂", label: "Laugh" },
  { type: "wow", plural: "wows", emoji: "😮", label: "Wow" },
  { type: "sad", plural: "sads", emoji: "😢", label: "Sad" },
  { type: "angry", plural: "angries", emoji: "😡", label: "Angry" },
];

const KEEP = 200; // comments held, replies included
const KEEP_REPLIES = 40; // of one thread

/**
 * One comment. `key` never changes, while the `commentID` of one's own comes with the ack.
 * `state` is `shown`, or of one's own `sending`.
 */
class Entry {
  constructor(key, comment, parent) {
    this.key = key;
    this.commentID = comment.commentID ?? null;
    this.ref = comment.ref ?? null;
    this.userID = comment.userID;
    this.text = comment.commentText;
    this.timestamp = comment.timestamp ?? null;
    this.replyTo = comment.replyToCommentID ?? null;
    this.counts = comment.reactions ?? {};
    this.ownReaction = null;
    this.state = comment.commentID ? "shown" : "sending";
    this.ordered = this.state === "shown"; // stands where the video's order has it
    this.parent = parent;
    this.replies = [];
    this.replyCount = 0; // also those no longer held
  }
}

export class Comments {
  #keep;
  #roots = [];
  #byKey = new Map();
  #byID = new Map();
  #sending = new Map(); // ref -> Entry
  #size = 0;
  #keys = 0;
  #changes = noChanges();

  constructor({ keep = KEEP } = {}) {
    this.#keep = keep;
  }

  /** Top-level entries, oldest first. */
  get roots() {
    return this.#roots;
  }

  get size() {
    return this.#size;
  }

  byKey(key) {
    return this.#byKey.get(key) ?? null;
  }

  byID(commentID) {
    return this.#byID.get(commentID) ?? null;
  }

  /** Start anew from a snapshot; one's own comments that are still being sent stay. */
  replaceAll(comments) {
    const sending = [...this.#sending.values()];
    const reactions = new Map(this.#ownReactions());
    this.#roots = [];
    this.#byKey.clear();
    this.#byID.clear();
    this.#sending.clear();
    this.#size = 0;
    this.#changes = noChanges();
    this.#changes.reset = true;
    for (const entry of sending) this.#place(entry, this.#byID.get(entry.replyTo));
    for (const comment of comments) this.#add(comment);
    for (const [commentID, type] of reactions) {
      const entry = this.#byID.get(commentID);
      if (entry) entry.ownReaction = type;
    }
  }

  /** Apply an `update` of the stream; `userID` is who is looking, so that own refs match. */
  apply({ comments = [], events = [], reactions = [] }, userID = null) {
    for (const comment of comments) this.#add(comment, userID);
    for (const event of events) if (event.type === "deleted") this.#delete(event.commentID);
    for (const { commentID, reactionCount } of reactions) {
      this.setCounts(commentID, reactionCount);
    }
    return comments.length;
  }

  /** Show one's own comment before the server has it. */
  addOwn({ ref, userID, text, replyTo = null }) {
    const comment = { ref, userID, commentText: text, replyToCommentID: replyTo };
    return this.#insert(comment);
  }

  /** The ack of one's own comment came. */
  confirm(ref, { commentID, timestamp }) {
    const entry = this.#sending.get(ref);
    if (!entry) return;
    this.#sending.delete(ref);
    if (this.#byID.has(commentID)) return this.#remove(entry); // it came as a plain comment
    entry.state = "shown";
    entry.commentID = commentID;
    entry.timestamp = timestamp;
    this.#byID.set(commentID, entry);
    this.#changes.changed.add(entry.key);
  }

  /** One's own comment was refused: it leaves the list. */
  withdraw(ref) {
    const entry = this.#sending.get(ref);
    if (!entry) return;
    this.#sending.delete(ref);
    this.#remove(entry);
  }

  /** Reaction counts are absolute; an absent type is zero. */
  setCounts(commentID, counts) {
    const entry = this.#byID.get(commentID);
    if (!entry) return;
    entry.counts = counts;
    this.#changes.changed.add(entry.key);
  }

  /** Note what the person reacted with; `null` takes it back. */
  setOwnReaction(commentID, type) {
    const entry = this.#byID.get(commentID);
    if (!entry) return;
    entry.ownReaction = type;
    this.#changes.changed.add(entry.key);
  }

  /**
   * What happened since the last call, as sets of keys: `added`, `changed`, `removed` (deleted or
   * withdrawn) and `dropped` (too old to hold); `reset`: draw everything anew.
   */
  takeChanges() {
    const changes = this.#changes;
    this.#changes = noChanges();
    return changes;
  }

  #add(comment, userID = null) {
    const own = comment.ref && comment.userID === userID && this.#sending.has(comment.ref);
    if (own) this.confirm(comment.ref, comment);
    const entry = this.#byID.get(comment.commentID);
    if (!entry) this.#insert(comment);
    else if (!entry.ordered) this.#order(entry);
  }

  /** One's own comment stood where it was written; now its place among the others is known. */
  #order(entry) {
    entry.ordered = true;
    const siblings = entry.parent ? entry.parent.replies : this.#roots;
    if (siblings.at(-1) === entry) return;
    siblings.splice(siblings.indexOf(entry), 1);
    siblings.push(entry);
    this.#changes.reset = true;
  }

  #insert(comment) {
    this.#keys += 1;
    const parent = this.#byID.get(comment.replyToCommentID);
    return this.#place(new Entry(`k${this.#keys}`, comment), parent);
  }

  #place(entry, target) {
    // One level: a reply to a reply belongs to the same thread.
    const thread = target?.parent ?? target ?? null;
    entry.parent = thread;
    this.#byKey.set(entry.key, entry);
    if (entry.commentID) this.#byID.set(entry.commentID, entry);
    else this.#sending.set(entry.ref, entry);
    this.#size += 1;
    this.#changes.added.add(entry.key);
    if (thread) {
      thread.replies.push(entry);
      thread.replyCount += 1;
      this.#changes.changed.add(thread.key);
      if (thread.replies.length > KEEP_REPLIES) this.#drop(thread.replies.shift());
    } else {
      this.#roots.push(entry);
    }
    while (this.#size > this.#keep && this.#roots.length > 1) this.#dropThread();
    return entry;
  }

  #dropThread() {
    const root = this.#roots.shift();
    for (const reply of root.replies) this.#drop(reply);
    this.#drop(root);
  }

  #drop(entry, gone = this.#changes.dropped) {
    this.#byKey.delete(entry.key);
    if (entry.commentID) this.#byID.delete(entry.commentID);
    this.#size -= 1;
    this.#changes.changed.delete(entry.key);
    if (!this.#changes.added.delete(entry.key)) gone.add(entry.key);
  }

  #delete(commentID) {
    const entry = this.#byID.get(commentID);
    if (entry) this.#remove(entry);
  }

  /** Replies to a deleted comment stand: they become comments of their own. */
  #remove(entry) {
    const siblings = entry.parent ? entry.parent.replies : this.#roots;
    const place = siblings.indexOf(entry);
    siblings.splice(place, 1);
    if (entry.parent) {
      entry.parent.replyCount -= 1;
      this.#changes.changed.add(entry.parent.key);
    } else {
      for (const reply of entry.replies) reply.parent = null;
      this.#roots.splice(place, 0, ...entry.replies);
      if (entry.replies.length > 0) this.#changes.reset = true;
    }
    this.#drop(entry, this.#changes.removed);
  }

  *#ownReactions() {
    for (const [commentID, entry] of this.#byID) {
      if (entry.ownReaction) yield [commentID, entry.ownReaction];
    }
  }
}

function noChanges() {
  return {
    reset: false,
    added: new Set(),
    changed: new Set(),
    removed: new Set(),
    dropped: new Set(),
  };
}
