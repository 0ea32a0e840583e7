/**
 * Messages that wait for their `ack` or `error`, matched by `ref`.
 *
 * A comment or a reaction that was on its way when the socket broke is sent again with the same
 * `ref`: the server treats that as the same request. Hearts are not: they are counted, and a
 * second one would count twice.
 */

/** Why a request was not carried out. `retryAfter` is in seconds, or null. */
export class Refusal extends Error {
  constructor({ code, title, detail = null, retryAfter = null }) {
    super(detail ? `${title}: ${detail}` : title);
    this.name = "Refusal";
    this.code = code;
    this.title = title;
    this.detail = detail;
    this.retryAfter = retryAfter;
  }

  /** Read an `error` message of the stream or an RFC 9457 body. */
  static from(body) {
    return new Refusal({
      code: body.code ?? "unknown",
      title: body.title ?? "The server refused",
      detail: body.detail ?? null,
      retryAfter: body.retry_after ?? null,
    });
  }
}

const SILENCE = {
  code: "timeout",
  title: "The server has not answered",
  detail: "It may or may not have arrived. Sending it again is safe.",
};
const CUT = { code: "disconnected", title: "The connection broke" };

export class Requests {
  #timers;
  #timeoutMs;
  #transmit;
  #waiting = new Map(); // ref -> {message, repeatable, sent, timer, resolve, reject}

  /**
   * @param {(message: object) => boolean} transmit sends now, or returns false while it cannot
   * @param {{setTimeout: Function, clearTimeout: Function}} timers
   * @param {number} timeoutMs how long an answer may take once a message was sent
   */
  constructor({ transmit, timers, timeoutMs }) {
    this.#transmit = transmit;
    this.#timers = timers;
    this.#timeoutMs = timeoutMs;
  }

  get size() {
    return this.#waiting.size;
  }

  /**
   * Send a message that has a `ref`; resolves with its ack, rejects with a `Refusal`.
   * While there is no connection a repeatable one waits for it, another is refused.
   */
  submit(message, { repeatable }) {
    return new Promise((resolve, reject) => {
      const request = { message, repeatable, sent: false, timer: null, resolve, reject };
      this.#waiting.get(message.ref)?.reject(new Refusal(CUT)); // replaced by this one
      this.#waiting.set(message.ref, request);
      this.#send(request);
    });
  }

  /** Take an `ack` or `error`; false when nobody waits for its `ref`. */
  answer(message) {
    const request = this.#waiting.get(message.ref);
    if (!request) return false;
    this.#forget(request);
    if (message.type === "ack") request.resolve(message);
    else request.reject(Refusal.from(message));
    return true;
  }

  /** The socket is there: send what has not gone out over it, oldest first. */
  resume() {
    for (const request of [...this.#waiting.values()]) if (!request.sent) this.#send(request);
  }

  /** The socket broke: what must not be repeated is refused, the rest waits. */
  interrupt() {
    for (const request of [...this.#waiting.values()]) {
      this.#timers.clearTimeout(request.timer);
      request.sent = false;
      if (!request.repeatable) this.#refuse(request, new Refusal(CUT));
    }
  }

  /** The stream has ended for good. */
  abandon(refusal) {
    for (const request of [...this.#waiting.values()]) this.#refuse(request, refusal);
  }

  #send(request) {
    request.sent = this.#transmit(request.message);
    if (request.sent) {
      request.timer = this.#timers.setTimeout(
        () => this.#refuse(request, new Refusal(SILENCE)),
        this.#timeoutMs,
      );
    } else if (!request.repeatable) {
      this.#refuse(request, new Refusal(CUT));
    }
  }

  #refuse(request, refusal) {
    this.#forget(request);
    request.reject(refusal);
  }

  #forget(request) {
    this.#timers.clearTimeout(request.timer);
    if (this.#waiting.get(request.message.ref) === request) {
      this.#waiting.delete(request.message.ref);
    }
  }
}
