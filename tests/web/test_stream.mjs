import assert from "node:assert/strict";
import { test } from "node:test";

import { LiveStream } from "../../groundswell/web/assets/groundswell.js";
import { FakeWorld, comment, settle, welcome } from "./stream_fakes.mjs";

async function opened({ token = null, getToken, first = welcome() } = {}) {
  const world = new FakeWorld();
  const states = [];
  const updates = [];
  const welcomes = [];
  const stream = new LiveStream({
    videoID: "demo",
    baseURL: "https://example.com",
    getToken: getToken ?? (async () => token),
    environment: world.environment,
    onState: (state) => states.push(state.name),
    onUpdate: (update) => updates.push(update),
    onWelcome: (message) => welcomes.push(message),
  });
  stream.start();
  await settle();
  world.socket.open();
  if (first) world.socket.receive(first);
  await settle();
  return { world, stream, states, updates, welcomes };
}

async function reconnected(world, message) {
  await world.pass(1_000); // more than the first wait, less than the time a welcome may take
  world.socket.open();
  world.socket.receive(message);
  await settle();
}

test("the stream offers its subprotocol at the video's address", async () => {
  const { world, states } = await opened();
  assert.equal(world.socket.url, "wss://example.com/live/demo/comments/stream");
  assert.deepEqual(world.socket.protocols, ["groundswell.v1"]);
  assert.deepEqual(states, ["connecting", "live"]);
});

test("the token goes out before anything else", async () => {
  const { world } = await opened({ token: "a.b.c", first: null });
  assert.equal(world.socket.sent[0].type, "auth");
  assert.equal(world.socket.sent[0].token, "a.b.c");
});

test("a broken stream resumes from the last position", async () => {
  const { world, states } = await opened();
  world.socket.receive({ type: "update", position: "e:12", comments: [comment("a")] });
  world.socket.break();
  await reconnected(world, welcome({ recovered: true, position: "e:12" }));
  assert.equal(new URL(world.socket.url).searchParams.get("position"), "e:12");
  await world.pass(1_000);
  assert.deepEqual(states.slice(2), ["reconnecting", "connecting", "catching-up", "live"]);
});

test("a comment that comes twice is shown once", async () => {
  const { world, updates } = await opened({ first: welcome({ comments: [comment("a")] }) });
  const comments = [comment("a"), comment("b")];
  world.socket.receive({ type: "update", position: "e:11", comments });
  assert.deepEqual(updates[0].comments.map(({ commentID }) => commentID), ["b"]);
});

test("a comment that was on its way is sent again with the same ref", async () => {
  const { world, stream } = await opened();
  const sent = stream.comment("Hello");
  const [first] = world.socket.sentOf("comment");
  world.socket.break(4000, "server is restarting");
  await reconnected(world, welcome({ recovered: true }));
  assert.deepEqual(world.socket.sentOf("comment"), [first]);
  world.socket.receive({ type: "ack", ref: first.ref, commentID: "a", timestamp: "t" });
  assert.equal((await sent).commentID, "a");
});

test("a heart that was on its way is not sent again", async () => {
  const { world, stream } = await opened();
  const heart = assert.rejects(stream.heart(), { code: "disconnected" });
  world.socket.break();
  await reconnected(world, welcome({ recovered: true }));
  assert.deepEqual(world.socket.sentOf("reaction"), []);
  await heart;
});

test("a refusal says why and when to come back", async () => {
  const { world, stream } = await opened();
  const sent = stream.comment("Hello");
  const [{ ref }] = world.socket.sentOf("comment");
  const why = { code: "rate_limited", title: "Slow" };
  world.socket.receive({ type: "error", ref, ...why, retry_after: 1.5 });
  await assert.rejects(sent, { ...why, retryAfter: 1.5 });
});

test("a message without an answer is given up in the end", async () => {
  const { world, stream } = await opened();
  const sent = assert.rejects(stream.react("a", "like"), { code: "timeout" });
  await world.pass(15_000);
  await sent;
});

test("a ping is answered and its position kept", async () => {
  const { world, stream } = await opened();
  world.socket.receive({ type: "ping", position: "e:99" });
  assert.equal(world.socket.sentOf("pong").length, 1);
  assert.equal(stream.statistics().position, "e:99");
});

test("two ping intervals of silence break the connection", async () => {
  const { world, stream } = await opened();
  const silent = world.socket;
  await world.pass(49_000);
  assert.equal(stream.state.name, "live");
  await world.pass(1_000);
  assert.notEqual(silent.closedWith, null);
  assert.notEqual(stream.state.name, "live");
});

test("a drain's retry_after is waited for", async () => {
  const { world, stream } = await opened();
  world.socket.break(4000, "server is restarting, retry_after=3.5");
  assert.equal(stream.state.retryAt - world.time, 3_500 + 250);
});

test("waits grow to twenty seconds while nobody answers", async () => {
  const { world, stream } = await opened();
  const waits = [];
  for (let i = 0; i < 8; i += 1) {
    world.socket.break();
    await settle();
    waits.push(stream.state.retryAt - world.time);
    await world.pass(waits.at(-1));
  }
  assert.deepEqual(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
});

test("a ban ends the stream and refuses what waits", async () => {
  const { world, stream, states } = await opened();
  const sent = assert.rejects(stream.comment("Hello"), { code: "closed" });
  world.socket.break(4503, "banned");
  await sent;
  assert.deepEqual(stream.state, { name: "closed", code: 4503, reason: "banned" });
  await world.pass(60_000);
  assert.equal(states.at(-1), "closed");
  assert.equal(world.sockets.length, 1);
});

test("an expired token is replaced before the stream comes back", async () => {
  const wishes = [];
  const { world } = await opened({ getToken: async (wish) => wishes.push(wish.fresh) && "a.b.c" });
  world.socket.break(4401, "token expired");
  await world.pass(1_000);
  assert.deepEqual(wishes, [false, true]);
});

test("a room that does not exist ends the stream", async () => {
  const { world, stream } = await opened({ first: null });
  world.ending = { code: "no_such_video", title: "No such video" };
  for (let i = 0; i < 2; i += 1) {
    world.socket.break();
    await world.pass(1_000);
  }
  assert.equal(stream.state.code, "no_such_video");
});

test("a welcome that is none means a server too old", async () => {
  const { stream } = await opened({ first: { type: "welcome" } });
  assert.equal(stream.state.code, "server_too_old");
});

test("without a network the stream waits, and comes back with it at once", async () => {
  const { world, stream } = await opened();
  world.online = false;
  world.networkListener(false);
  assert.equal(stream.state.name, "offline");
  await world.pass(60_000);
  assert.equal(world.sockets.length, 1);
  world.online = true;
  world.networkListener(true);
  await settle();
  assert.equal(world.sockets.length, 2);
});
