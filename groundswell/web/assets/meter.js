/** What the stream did lately: rates over ten seconds, delivery times, a minute's history. */

const SECONDS = 60;
const RATE_SECONDS = 10;
const DELIVERIES = 101;

export class Meter {
  #now;
  #buckets = new Map(); // second -> {comments, hearts, messages, bytes}
  #deliveries = [];
  #bytes = 0;

  /** @param {() => number} now wall time in milliseconds */
  constructor({ now = () => Date.now() } = {}) {
    this.#now = now;
  }

  /** Note an update: how many comments and hearts it had, and the bytes so far. */
  note({ comments, hearts = 0, bytes }) {
    const bucket = this.#bucket();
    bucket.messages += 1;
    bucket.comments += comments.length;
    bucket.hearts += hearts;
    bucket.bytes += bytes - this.#bytes;
    this.#bytes = bytes;
    for (const { timestamp } of comments.slice(-DELIVERIES)) {
      this.#deliveries.push(this.#now() - Date.parse(timestamp));
    }
    this.#deliveries.splice(0, this.#deliveries.length - DELIVERIES);
  }

  /** Comments, messages and bytes a second; the running second does not count yet. */
  rates() {
    const second = this.#second();
    const sums = { comments: 0, messages: 0, bytes: 0 };
    for (let back = 1; back <= RATE_SECONDS; back += 1) {
      const bucket = this.#buckets.get(second - back);
      for (const key of Object.keys(sums)) sums[key] += bucket?.[key] ?? 0;
    }
    for (const key of Object.keys(sums)) sums[key] /= RATE_SECONDS;
    return sums;
  }

  /** Median of (arrival - timestamp) of the latest comments in ms: includes clock difference. */
  medianDelivery() {
    if (this.#deliveries.length === 0) return null;
    const sorted = this.#deliveries.toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
  }

  /** Comments and hearts of each of the last 60 whole seconds, oldest first. */
  minute() {
    const second = this.#second();
    return Array.from({ length: SECONDS }, (_, i) => {
      const bucket = this.#buckets.get(second - SECONDS + i);
      return { comments: bucket?.comments ?? 0, hearts: bucket?.hearts ?? 0 };
    });
  }

  #second() {
    return Math.floor(this.#now() / 1000);
  }

  #bucket() {
    const second = this.#second();
    if (!this.#buckets.has(second)) {
      this.#buckets.set(second, { comments: 0, hearts: 0, messages: 0, bytes: 0 });
      for (const old of this.#buckets.keys()) {
        if (old < second - SECONDS - 1) this.#buckets.delete(old);
      }
    }
    return this.#buckets.get(second);
  }
}
