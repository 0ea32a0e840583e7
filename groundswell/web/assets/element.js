/** The one way in which this page makes elements: no markup is ever parsed. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 * @param {string} name tag, with classes after dots: `button.chip.own`
 * @param {object} attributes set as attributes; null and false leave one out
 * @param {...(Node | string)} children strings become text nodes
 */
export function element(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length > 0) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** An icon of the sprite in `watch.html`; decoration, so hidden from assistive technology. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** The element with this id; its absence is a mistake in `watch.html`. */
export function byID(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`watch.html has no element with id ${id}`);
  return node;
}

const numbers = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** 1234 -> "1,234"; from 100,000 on "123.4K". */
export function count(number) {
  return number < 100_000 ? numbers.format(number) : compact.format(number);
}

/** Whether the person asked for less motion. */
export function isCalm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
