// A world for `LiveStream` that tests drive by hand: time, chance, sockets, network.

export class FakeWorld {
  constructor() {
    this.time = 1_000_000;
    this.timers = new Map();
    this.nextTimer = 1;
    this.sockets = [];
    this.online = true;
    this.networkListener = () => {};
    this.ending = null;
    const world = this;
    this.environment = {
      now: () => this.time,
      random: () => 0.5,
      setTimeout: (action, wait) => {
        this.timers.set(this.nextTimer, { action, at: this.time + wait });
        return this.nextTimer++;
      },
      clearTimeout: (timer) => this.timers.delete(timer),
      isOnline: () => this.online,
      onNetwork: (listener) => (this.networkListener = listener),
      diagnose: async () => this.ending,
      WebSocket: class extends FakeSocket {
        constructor(url, protocols) {
          super(url, protocols);
          world.sockets.push(this);
        }
      },
    };
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Let time pass, firing what becomes due in order, and promises in between. */
  async pass(milliseconds) {
    const end = this.time + milliseconds;
    for (;;) {
      await settle();
      const due = [...this.timers].filter(([, { at }]) => at <= end);
      if (due.length === 0) break;
      const [timer, { action, at }] = due.sort((a, b) => a[1].at - b[1].at)[0];
      this.timers.delete(timer);
      this.time = Math.max(this.time, at);
      action();
    }
    this.time = end;
  }
}

class FakeSocket {
  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    this.readyState = 0;
    this.sent = [];
    this.closedWith = null;
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closedWith = code;
    this.readyState = 3;
  }

  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  receive(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  break(code = 1006, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  sentOf(type) {
    return this.sent.filter((message) => message.type === type);
  }
}

/** Let every promise that can settle do so. */
export async function settle() {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}

export function welcome(facts = {}) {
  const limits = { text: 500, message_bytes: 16384, ping_interval: 25 };
  const message = { type: "welcome", position: "e:10", recovered: false, comments: [], viewers: 1 };
  return { ...message, limits, ...facts };
}

export function comment(commentID, facts = {}) {
  const timestamp = "2024-09-26T12:34:56.789Z";
  return { commentID, userID: "ada", commentText: `text of ${commentID}`, timestamp, ...facts };
}
