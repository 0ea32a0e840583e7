/** "For the curious": numbers of the stream over the stage (key `i`), and the room's pulse. */

import { byID, count, element } from "./element.js";

const EVERY_MS = 1_000;
const SMOOTH = 4; // seconds that a point of the pulse is the mean of
const LEAST_SCALE = 3; // a second: below this the pulse stays low instead of filling its height

export class Curious {
  #panel = byID("curious");
  #button = byID("curious-button");
  #pulse = byID("pulse");
  #stream;
  #meter;
  #values = new Map();

  constructor({ stream, meter }) {
    this.#stream = stream;
    this.#meter = meter;
    this.#button.addEventListener("click", () => this.toggle());
    new ResizeObserver(() => this.#drawPulse()).observe(this.#pulse);
    setInterval(() => this.#tick(), EVERY_MS);
  }

  toggle() {
    this.#panel.hidden = !this.#panel.hidden;
    this.#button.setAttribute("aria-expanded", String(!this.#panel.hidden));
    this.#tick();
  }

  #tick() {
    if (document.hidden) return;
    this.#drawPulse();
    const rates = this.#meter.rates();
    byID("pulse-rate").textContent = `${decimal(rates.comments)} comments/s`;
    if (!this.#panel.hidden) this.#showNumbers(rates);
  }

  #showNumbers(rates) {
    const { position, resumes, connects, bytes } = this.#stream.statistics();
    const delivery = this.#meter.medianDelivery();
    this.#set("Position", position ?? "none yet");
    this.#set("Updates", `${decimal(rates.messages)} /s`);
    this.#set("Comments", `${decimal(rates.comments)} /s`);
    this.#set("Traffic", `${decimal(rates.bytes / 1000)} kB/s`);
    this.#set("Received", `${count(Math.round(bytes / 1000))} kB`);
    this.#set("Median delivery", delivery === null ? "none yet" : `${Math.round(delivery)} ms`);
    this.#set("Resumes", `${resumes} of ${Math.max(0, connects - 1)}`);
    this.#set("Plane", "WebSocket, groundswell.v1");
  }

  #set(label, value) {
    if (!this.#values.has(label)) {
      const cell = element("dd");
      this.#panel.append(element("div", {}, element("dt", {}, label), cell));
      this.#values.set(label, cell);
    }
    this.#values.get(label).textContent = value;
  }

  /** An area of comments a second, with the hearts as a fainter one behind it. */
  #drawPulse() {
    const { clientWidth, clientHeight } = this.#pulse;
    if (clientWidth === 0) return;
    const ratio = Math.min(devicePixelRatio, 2);
    this.#pulse.width = clientWidth * ratio;
    this.#pulse.height = clientHeight * ratio;
    const pen = this.#pulse.getContext("2d");
    pen.scale(ratio, ratio);
    // Computed properties are resolved for the theme, custom ones are not.
    const { color: comments, caretColor: hearts } = getComputedStyle(this.#pulse);
    const minute = this.#meter.minute();
    const area = { pen, width: clientWidth, height: clientHeight };
    fillArea(minute.map((second) => second.hearts), hearts, 0.16, area);
    fillArea(minute.map((second) => second.comments), comments, 0.28, area);
  }
}

function fillArea(counts, colour, alpha, { pen, width, height }) {
  const values = counts.map((_, i) => mean(counts.slice(Math.max(0, i - SMOOTH + 1), i + 1)));
  const most = Math.max(LEAST_SCALE, ...values);
  const x = (i) => (i / (values.length - 1)) * width;
  const y = (value) => height - 2 - (value / most) * (height - 8);
  pen.beginPath();
  pen.moveTo(0, y(values[0]));
  for (let i = 1; i < values.length; i += 1) {
    const middle = (x(i - 1) + x(i)) / 2;
    pen.bezierCurveTo(middle, y(values[i - 1]), middle, y(values[i]), x(i), y(values[i]));
  }
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.globalAlpha = alpha * 3;
  pen.stroke();
  pen.lineTo(width, height);
  pen.lineTo(0, height);
  pen.closePath();
  pen.globalAlpha = alpha;
  pen.fillStyle = colour;
  pen.fill();
}

function mean(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

function decimal(number) {
  return number < 10 ? number.toFixed(1) : count(Math.round(number));
}
