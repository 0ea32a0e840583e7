/**
 * Who is watching: a token from the address, else a guest's from the server, else nobody.
 *
 * A token is kept for this tab only (`sessionStorage`), the guest's name for the next visit.
 */

import { claimsOf } from "./environment.js";

const NAME_KEY = "groundswell.name";
const TOKEN_KEY = "groundswell.token";
const SPARE_MS = 90_000; // a token that is about to expire is not worth keeping
const MODERATORS = new Set(["moderator", "admin"]);

export class Session extends EventTarget {
  #token = null;
  #claims = null;
  #given = false; // handed to the page, not asked for by it
  #name;

  constructor() {
    super();
    this.#name = localStorage.getItem(NAME_KEY) ?? "";
    this.#adopt(sessionStorage.getItem(TOKEN_KEY), { given: false });
    const hash = new URLSearchParams(location.hash.slice(1));
    if (hash.has("token")) {
      this.#adopt(hash.get("token"), { given: true });
      this.#keep();
      history.replaceState(null, "", location.pathname + location.search);
    }
  }

  get name() {
    return this.#name;
  }

  get userID() {
    return this.#claims?.sub ?? null;
  }

  /** For display only: the server checks the role of every request. */
  get moderates() {
    return MODERATORS.has(this.#claims?.role);
  }

  /** Whether the person may choose the name: not with a token that somebody else issued. */
  get isGuest() {
    return this.#token !== null && !this.#given;
  }

  /** The header for requests besides the stream. */
  get authorization() {
    return this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
  }

  /** A token, or null where the page can only read. Rejects while the server is out of reach. */
  async token({ fresh = false } = {}) {
    if (this.#token && (this.#given || !fresh)) return this.#token;
    const response = await fetch("/session/guest", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(this.#name ? { name: this.#name } : {}),
    });
    if (response.status === 404 || response.status === 405) {
      this.#adopt(null, { given: false });
    } else if (response.ok) {
      this.#adopt((await response.json()).token, { given: false });
    } else {
      throw new Error(`POST /session/guest answered ${response.status}`);
    }
    this.#keep();
    this.dispatchEvent(new Event("change"));
    return this.#token;
  }

  /** Drop a token that the server refused; true when it is worth trying with another. */
  forget() {
    const hadOne = this.#token !== null;
    this.#adopt(null, { given: false });
    this.#keep();
    return hadOne;
  }

  /** Choose a name for this visit and the next. */
  rename(name) {
    this.#name = name;
    localStorage.setItem(NAME_KEY, name);
  }

  #adopt(token, { given }) {
    const claims = claimsOf(token ?? "");
    const usable = claims !== null && (!claims.exp || claims.exp * 1000 > Date.now() + SPARE_MS);
    this.#token = usable ? token : null;
    this.#claims = usable ? claims : null;
    this.#given = usable && (given || MODERATORS.has(claims.role));
  }

  #keep() {
    if (this.#token) sessionStorage.setItem(TOKEN_KEY, this.#token);
    else sessionStorage.removeItem(TOKEN_KEY);
  }
}
