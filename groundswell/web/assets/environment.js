/**
 * What the client needs from the world, so that tests can bring their own.
 */

/** The browser's clock, chance, sockets and network. */
export const browser = {
  WebSocket: globalThis.WebSocket,
  now: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (action, wait) => setTimeout(action, wait),
  clearTimeout: (timer) => clearTimeout(timer),
  isOnline: () => globalThis.navigator?.onLine ?? true,
  onNetwork(listener) {
    globalThis.addEventListener?.("online", () => listener(true));
    globalThis.addEventListener?.("offline", () => listener(false));
  },
  diagnose,
};

/** Timers by name: arming one again replaces it. */
export class Alarms {
  #environment;
  #timers = new Map();

  constructor(environment) {
    this.#environment = environment;
  }

  set(name, wait, action) {
    this.clear(name);
    this.#timers.set(name, this.#environment.setTimeout(action, wait));
  }

  clear(...names) {
    for (const name of names) {
      this.#environment.clearTimeout(this.#timers.get(name));
      this.#timers.delete(name);
    }
  }
}

/** The latest ids, to tell a comment that came twice. */
export class RecentIDs {
  #keep;
  #ids = new Set();

  constructor(keep) {
    this.#keep = keep;
  }

  /** Enter an id; true when it was not there. */
  add(id) {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.#keep) this.#ids.delete(this.#ids.values().next().value);
    return true;
  }

  clear() {
    this.#ids.clear();
  }
}

/** The claims of a JWT, unverified: for display and timing only. Null where there are none. */
export function claimsOf(token) {
  try {
    const base64 = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

/**
 * Ask by GET why a stream cannot be opened: a refused upgrade tells a page nothing.
 *
 * @returns {Promise<{code: string, title: string} | null>} null: nothing final, keep trying
 */
async function diagnose(baseURL, videoID) {
  let response;
  try {
    const path = `/live/${encodeURIComponent(videoID)}/comments?limit=1`;
    response = await fetch(new URL(path, baseURL), { cache: "no-store" });
  } catch {
    return null;
  }
  // Across origins the header is hidden unless exposed, so its absence proves nothing there.
  const readable = response.type === "basic";
  if (response.ok && readable && !response.headers.has("Groundswell-Position")) {
    return { code: "server_too_old", title: "the server does not speak groundswell.v1" };
  }
  if (response.status !== 403 && response.status !== 404) return null;
  const problem = await response.json().catch(() => ({}));
  return { code: problem.code ?? "server_too_old", title: problem.title ?? response.statusText };
}
