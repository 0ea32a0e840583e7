/**
 * When to come back after a stream has broken, and whether to come back at all.
 *
 * Pure: randomness is an argument, nothing here looks at a clock.
 */

const LEAST_MS = 500;
const MOST_MS = 20_000;

/** Close codes of RFC 6455 that say "this client is wrong": the same would happen again. */
const OUR_FAULT = new Set([1002, 1003, 1007, 1009]);
const FLOOD = 4429;
const TOKEN_EXPIRED = 4401;

/** A backoff with full jitter: any part of a ceiling that doubles from 0.5 s to 20 s. */
export class Backoff {
  #random;
  #attempt = 0;

  /** @param {() => number} random a number in [0, 1) */
  constructor(random = Math.random) {
    this.#random = random;
  }

  /**
   * The next wait in milliseconds.
   * @param {number} atLeast what the server asked for; the jitter is added to it
   */
  next(atLeast = 0) {
    const ceiling = Math.min(MOST_MS, LEAST_MS * 2 ** this.#attempt);
    this.#attempt += 1;
    return atLeast + this.#random() * ceiling;
  }

  /** How many waits were handed out since the last `reset`. */
  get attempts() {
    return this.#attempt;
  }

  /** Start anew with the shortest ceiling. */
  reset() {
    this.#attempt = 0;
  }

  /** Go on as if `attempts` waits had already been needed. */
  escalate(attempts) {
    this.#attempt = Math.max(this.#attempt, attempts);
  }
}

/**
 * What a close code asks of a client: 4000-4499 reconnect, from 4500 on do not.
 *
 * @returns {{reconnect: boolean, waitMs: number, freshToken: boolean, attempts: number}}
 *   `waitMs` is what the server asked for, `attempts` where the backoff should at least stand.
 */
export function verdict(code, reason = "") {
  const asked = /(?:^|[\s;,])retry_after=(\d+(?:\.\d+)?)/.exec(reason);
  return {
    reconnect: code < 4500 && !OUR_FAULT.has(code),
    waitMs: asked ? Number(asked[1]) * 1000 : 0,
    freshToken: code === TOKEN_EXPIRED,
    attempts: code === FLOOD ? 4 : 0,
  };
}
