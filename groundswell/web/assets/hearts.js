/**
 * Hearts that rise over the stage: what an update counts is spread over its window. At most 60
 * are on screen; none with `prefers-reduced-motion`.
 */

import { isCalm } from "./element.js";

const MOST = 60;
const SLOWEST_MS = 4_200;
const FASTEST_MS = 2_600;
const SIZE_PX = 26;
const HEART = new Path2D(
  "M0 8.500C-9 2-11-2.5-9.3-6 -7.6-9.4-2.5-9.8 0-5.5 2.5-9.8 7.6-9.4 9.3-6 11-2.5 9 2 0 8.500z",
);
const COLOURS = ["#ff5d73", "#ff7a8a", "#ff8f6b", "#f45b9b", "#ffb27d"];

export class Hearts {
  #canvas;
  #pen;
  #random;
  #rising = []; // {start, duration, lane, height, sway, size, colour}
  #running = false;

  constructor(canvas, { random = Math.random } = {}) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext("2d");
    this.#random = random;
    new ResizeObserver(() => this.#resize()).observe(canvas);
  }

  /** Let `count` hearts rise, spread over `windowMs` from now. */
  rise(count, windowMs) {
    if (isCalm() || document.hidden) return;
    const now = performance.now();
    const room = Math.min(count, MOST - this.#rising.length);
    for (let i = 0; i < room; i += 1) {
      this.#rising.push({
        duration: FASTEST_MS + this.#random() * (SLOWEST_MS - FASTEST_MS),
        start: now + (windowMs * (i + this.#random())) / room,
        lane: this.#random(),
        height: this.#random(),
        sway: this.#random() * Math.PI * 2,
        size: 0.7 + this.#random() * 0.6,
        colour: COLOURS[Math.floor(this.#random() * COLOURS.length)],
      });
    }
    if (!this.#running && room > 0) {
      this.#running = true;
      requestAnimationFrame((time) => this.#frame(time));
    }
  }

  #frame(now) {
    const { width, height } = this.#canvas;
    const ratio = width / this.#canvas.clientWidth;
    this.#pen.setTransform(1, 0, 0, 1, 0, 0);
    this.#pen.clearRect(0, 0, width, height);
    this.#rising = this.#rising.filter(({ start, duration }) => now - start < duration);
    const air = { width: width / ratio, height: height / ratio, ratio };
    for (const heart of this.#rising) {
      const age = (now - heart.start) / heart.duration;
      if (age >= 0) this.#drawHeart(heart, age, air);
    }
    this.#running = this.#rising.length > 0;
    if (this.#running) requestAnimationFrame((time) => this.#frame(time));
  }

  #drawHeart(heart, age, { width, height, ratio }) {
    const pen = this.#pen;
    const eased = 1 - (1 - age) ** 1.8;
    const size = SIZE_PX * Math.min(1, 0.45 + height / 900) * heart.size;
    const x = width * (0.2 + 0.6 * heart.lane) + Math.sin(age * 5 + heart.sway) * width * 0.09;
    const y = height - SIZE_PX - eased * (height - SIZE_PX * 2) * (0.65 + 0.35 * heart.height);
    const grow = Math.min(1, age * 9);
    const scale = (size / 20) * (grow + 0.25 * Math.sin(grow * Math.PI));
    pen.setTransform(ratio, 0, 0, ratio, x * ratio, y * ratio);
    pen.rotate(Math.sin(age * 4 + heart.sway) * 0.22);
    pen.scale(scale, scale);
    pen.globalAlpha = age < 0.65 ? 0.95 : 0.95 * (1 - (age - 0.65) / 0.35);
    pen.fillStyle = heart.colour;
    pen.fill(HEART);
    pen.globalAlpha = 1;
  }

  #resize() {
    const ratio = Math.min(devicePixelRatio, 2);
    this.#canvas.width = Math.round(this.#canvas.clientWidth * ratio);
    this.#canvas.height = Math.round(this.#canvas.clientHeight * ratio);
  }
}
