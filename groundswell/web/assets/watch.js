/** The viewer page: makes the parts and connects them. */

import { Announcer } from "./announcer.js";
import { Chat } from "./chat.js";
import { Comments } from "./comments.js";
import { Composer } from "./composer.js";
import { Curious } from "./curious.js";
import { byID, count } from "./element.js";
import { LiveStream, Refusal } from "./groundswell.js";
import { Hearts } from "./hearts.js";
import { listenToKeys } from "./keys.js";
import { Meter } from "./meter.js";
import { Name } from "./name.js";
import { Reactions } from "./reactions.js";
import { Session } from "./session.js";
import { Stage } from "./stage.js";
import { Status } from "./status.js";
import { startTheme } from "./theme.js";

const AUTH_REFUSED = 4501;
const BANNED = "banned";
const SAMPLED_FOR_MS = 3_000;
const OWN_HEART_MS = 1; // one's own rises at once

startTheme();
const videoID = decodeURIComponent(/^\/watch\/([^/]+)/.exec(location.pathname)?.[1] ?? "demo");
const session = new Session();
const stream = new LiveStream({ videoID, getToken: (wish) => session.token(wish) });
const comments = new Comments();
const meter = new Meter();
const stage = new Stage(byID("sea"));
const hearts = new Hearts(byID("hearts"));
const announcer = new Announcer();
const status = new Status({ stream });
const chat = new Chat({ comments, session });
const composer = new Composer({ send });
const reactions = new Reactions({ chat, react });
const name = new Name({ session, renamed: () => stream.authenticate().catch(explain) });
const curious = new Curious({ stream, meter });
let sampledTimer = null;
let secondToken = false; // a refused token was already replaced once
let moderated = session.moderates;

byID("title").textContent = videoID;
document.title = `${videoID} · Groundswell`;
byID("heart-button").addEventListener("click", heart);
byID("comments").addEventListener("click", ({ target }) => {
  const entry = chat.entryOf(target);
  if (entry && target.closest(".action.reply")) reply(entry);
  if (entry && target.closest(".action.delete")) remove(entry);
});
listenToKeys({
  chat,
  reply,
  remove,
  react: (entry) => canWrite() && reactions.open(entry, { focus: true }),
  curious: () => curious.toggle(),
});
listen("welcome", welcome);
listen("update", update);
listen("state", (state) => {
  status.show(state);
  showSession();
});
listen("closed", closed);
listen("authenticated", () => (secondToken = false));
listen("unauthenticated", (refusal) => {
  if (refusal.code === BANNED) return; // the stream closes and says so; another guest is no way out
  if (!replaceToken()) explain(refusal);
});
session.addEventListener("change", showSession);
showSession();
stream.start();

function listen(type, listener) {
  stream.addEventListener(type, ({ detail }) => listener(detail));
}

function welcome({ recovered, again, comments: newest, viewers, limits }) {
  byID("loading").hidden = true;
  if (limits?.text) composer.limit = limits.text;
  status.showViewers(viewers ?? null);
  showSession();
  if (recovered) return;
  comments.replaceAll(newest);
  if (again) {
    chat.missed();
    announcer.say("Some comments were missed while the connection was broken.");
  }
  chat.refresh();
}

function update(message) {
  const arrived = comments.apply(message, session.userID);
  chat.arrived(arrived);
  meter.note({
    comments: message.comments,
    hearts: message.hearts?.count,
    bytes: stream.statistics().bytes,
  });
  announcer.note(message.comments.filter(({ userID }) => userID !== session.userID));
  if (message.hearts) rise(message.hearts.count, message.hearts.window_ms);
  if (message.viewers !== undefined) status.showViewers(message.viewers);
  if (message.skipped) showSampled(message.skipped);
}

function closed({ code }) {
  byID("loading").hidden = true;
  chat.refresh();
  if (code === AUTH_REFUSED && replaceToken()) stream.start();
}

/** A token kept from before may be of another server: try once with a new one. */
function replaceToken() {
  if (secondToken || !session.forget()) return false;
  secondToken = true;
  if (stream.state.name !== "closed") stream.authenticate().catch(explain);
  return true;
}

async function send({ text, replyTo, ref }) {
  const comment = { text, replyTo, ref: ref ?? stream.newRef() };
  const replyToCommentID = replyTo?.commentID ?? null;
  comments.addOwn({ ref: comment.ref, userID: session.userID, text, replyTo: replyToCommentID });
  chat.showLatest();
  try {
    const ack = await stream.comment(text, { replyToCommentID, ref: comment.ref });
    comments.confirm(comment.ref, ack);
  } catch (refusal) {
    comments.withdraw(comment.ref);
    composer.giveBack(comment, refusal);
  }
  chat.refresh();
}

async function react(entry, type) {
  const before = entry.ownReaction;
  comments.setOwnReaction(entry.commentID, type);
  chat.refresh();
  try {
    const { reactionCount } = await stream.react(entry.commentID, type);
    comments.setCounts(entry.commentID, reactionCount);
  } catch (refusal) {
    comments.setOwnReaction(entry.commentID, before);
    explain(refusal);
  }
  chat.refresh();
}

async function heart() {
  rise(1, OWN_HEART_MS);
  await stream.heart().catch((refusal) => refusal.code !== "disconnected" && explain(refusal));
}

async function remove(entry) {
  if (!session.moderates || !entry.commentID) return;
  const path = `/live/${encodeURIComponent(videoID)}/comments/${entry.commentID}`;
  try {
    const answer = await fetch(path, { method: "DELETE", headers: session.authorization });
    if (!answer.ok) throw Refusal.from(await answer.json());
    comments.apply({ events: [{ type: "deleted", commentID: entry.commentID }] });
    announcer.say("Comment deleted");
  } catch (error) {
    explain(error);
  }
  chat.refresh();
}

function reply(entry) {
  if (canWrite() && entry.commentID) composer.reply(entry);
}

function rise(number, windowMs) {
  stage.warm(number);
  hearts.rise(number, windowMs);
}

function showSampled(skipped) {
  const label = byID("sampled");
  label.hidden = false;
  label.textContent = "Busy: showing a sample";
  label.title = `${count(skipped)} comments of the last update are not shown`;
  clearTimeout(sampledTimer);
  sampledTimer = setTimeout(() => (label.hidden = true), SAMPLED_FOR_MS);
}

function canWrite() {
  return session.userID !== null;
}

function showSession() {
  document.body.classList.toggle("reading-only", !canWrite());
  byID("composer").hidden = !canWrite();
  byID("read-only").hidden = canWrite() || stream.state.name === "connecting";
  byID("heart-button").disabled = !canWrite() || stream.state.name === "closed";
  name.show();
  if (moderated !== session.moderates) {
    moderated = session.moderates;
    chat.rebuild();
  }
}

/** Say what went wrong where the person writes; anything but a refusal is the network's. */
function explain(error) {
  const refusal =
    error instanceof Refusal
      ? error
      : new Refusal({ code: "network", title: "The server could not be reached" });
  composer.explain(refusal);
}
