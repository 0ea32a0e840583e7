/** Dark or light: what the system asks for, until the person chooses. */

import { byID } from "./element.js";

const KEY = "groundswell.theme";
const CHROME = { dark: "#0a0d13", light: "#f6f4f0" }; // the browser's own bar, as in tokens.css
const prefersLight = matchMedia("(prefers-color-scheme: light)");

function current() {
  return localStorage.getItem(KEY) ?? (prefersLight.matches ? "light" : "dark");
}

function show() {
  document.documentElement.dataset.theme = current();
  document.querySelector('meta[name="theme-color"]').content = CHROME[current()];
}

/** Apply the theme and listen to the switch. */
export function startTheme() {
  show();
  prefersLight.addEventListener("change", show);
  byID("theme-button").addEventListener("click", () => {
    localStorage.setItem(KEY, current() === "dark" ? "light" : "dark");
    show();
  });
}
