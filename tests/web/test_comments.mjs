import assert from "node:assert/strict";
import { test } from "node:test";

import { Comments } from "../../groundswell/web/assets/comments.js";
import { comment } from "./stream_fakes.mjs";

function replyTo(replyToCommentID, commentID) {
  return comment(commentID, { replyToCommentID });
}

function idsOf(entries) {
  return entries.map((entry) => entry.commentID);
}

test("a reply stands under the comment that it answers", () => {
  const comments = new Comments();
  comments.apply({ comments: [comment("a"), comment("b"), replyTo("a", "c")] });
  assert.deepEqual(idsOf(comments.roots), ["a", "b"]);
  assert.deepEqual(idsOf(comments.byID("a").replies), ["c"]);
});

test("a reply to a reply joins the same thread", () => {
  const comments = new Comments();
  const chain = [comment("a"), replyTo("a", "b"), replyTo("b", "c")];
  comments.apply({ comments: chain });
  assert.deepEqual(idsOf(comments.byID("a").replies), ["b", "c"]);
});

test("replies to a deleted comment stand", () => {
  const comments = new Comments();
  comments.apply({ comments: [comment("a"), replyTo("a", "b"), comment("c")] });
  comments.apply({ events: [{ type: "deleted", commentID: "a" }] });
  assert.deepEqual(idsOf(comments.roots), ["b", "c"]);
});

test("no more comments are held than asked for, whatever comes", () => {
  const comments = new Comments({ keep: 10 });
  for (let i = 0; i < 1_000; i += 1) {
    const parent = i % 3 === 0 ? { replyToCommentID: `c${i - 1}` } : {};
    comments.apply({ comments: [comment(`c${i}`, parent)] });
    assert.ok(comments.size <= 10);
  }
  const { added, removed, dropped } = comments.takeChanges();
  assert.equal(added.size, comments.size);
  assert.equal(removed.size + dropped.size, 0); // nobody has drawn them: nothing to take away
});

test("one's own comment is shown at once and becomes the acknowledged one", () => {
  const comments = new Comments();
  const own = comments.addOwn({ ref: "r1", userID: "ada", text: "Hello" });
  assert.equal(own.state, "sending");
  comments.confirm("r1", { commentID: "a", timestamp: "t" });
  comments.apply({ comments: [comment("a", { ref: "r1" })] }, "ada");
  assert.equal(own.state, "shown");
  assert.deepEqual(idsOf(comments.roots), ["a"]);
});

test("one's own comment takes its place in the order of the video", () => {
  const comments = new Comments();
  comments.addOwn({ ref: "r1", userID: "ada", text: "Hello" });
  comments.apply({ comments: [comment("b"), comment("a", { ref: "r1" })] }, "ada");
  assert.deepEqual(idsOf(comments.roots), ["b", "a"]);
});

test("somebody else's ref is not one's own", () => {
  const comments = new Comments();
  comments.addOwn({ ref: "r1", userID: "ada", text: "Hello" });
  comments.apply({ comments: [comment("b", { ref: "r1", userID: "eve" })] }, "ada");
  assert.equal(comments.size, 2);
});

test("a refused comment leaves the list", () => {
  const comments = new Comments();
  comments.addOwn({ ref: "r1", userID: "ada", text: "Hello" });
  comments.withdraw("r1");
  assert.equal(comments.size, 0);
});

test("a snapshot replaces everything but what is being sent", () => {
  const comments = new Comments();
  comments.apply({ comments: [comment("a"), comment("b")] });
  comments.setOwnReaction("b", "love");
  comments.addOwn({ ref: "r1", userID: "ada", text: "Hello" });
  comments.replaceAll([comment("b"), comment("c")]);
  assert.deepEqual(idsOf(comments.roots).filter(Boolean), ["b", "c"]);
  assert.equal(comments.size, 3);
  assert.equal(comments.byID("b").ownReaction, "love");
  assert.ok(comments.takeChanges().reset);
});

test("reaction counts are absolute", () => {
  const comments = new Comments();
  comments.apply({ comments: [comment("a", { reactions: { likes: 3, sads: 1 } })] });
  comments.apply({ reactions: [{ commentID: "a", reactionCount: { likes: 2 } }] });
  assert.deepEqual(comments.byID("a").counts, { likes: 2 });
});
