/**
 * The broadcast: a slow sea under a low light, drawn on a canvas. Hearts lift the light and the
 * sparks. With `prefers-reduced-motion` it is one still picture.
 */

import { isCalm } from "./element.js";

/** How much is drawn: pixels of the soft picture, and time between two of them. */
const FULL = { pixels: 900_000, interval: 33 };
const MODEST = { pixels: 400_000, interval: 83 };
const SLOW_FRAME_MS = 26; // from a drawing to the next frame, its rasterising included
const SLOW_FRAMES = 12; // more slow frames than others by so many: be modest for good
const STILL_MS = 20_000; // the moment that the still picture shows
const SPARKS = 70;
const COOLING_PER_S = 0.55;
const WARMTH_OF_A_HEART = 0.012;

/** Swells from the horizon to the shore: where the line is, its height, length and speed. */
const SWELLS = [
  { y: 0.597, high: 0.003, long: 2.6, speed: 0.1, top: "#a07c80", low: "#4a5b78" },
  { y: 0.622, high: 0.008, long: 2.3, speed: -0.12, top: "#6f6f88", low: "#33506d" },
  { y: 0.66, high: 0.014, long: 2.0, speed: 0.14, top: "#56718e", low: "#2a4a68" },
  { y: 0.712, high: 0.022, long: 1.8, speed: -0.16, top: "#42688a", low: "#1b3a58" },
  { y: 0.785, high: 0.032, long: 1.6, speed: 0.19, top: "#2f5a7c", low: "#112a45" },
  { y: 0.885, high: 0.042, long: 1.4, speed: -0.22, top: "#204a69", low: "#081524" },
];
const STEPS = 72; // of a line from side to side
const HORIZON = 0.598;

export class Stage {
  #canvas;
  #pen;
  #warmth = 0; // 0..1, from hearts
  #lastDraw = 0;
  #effort = FULL;
  #slowness = 0;
  #drewLast = false;
  #sparks;

  constructor(canvas, { random = Math.random } = {}) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext("2d", { alpha: false });
    this.#sparks = Array.from({ length: SPARKS }, () => ({
      x: random(),
      y: random(),
      depth: 0.3 + random() * 0.7,
      phase: random() * Math.PI * 2,
    }));
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-reduced-motion: reduce)").addEventListener("change", () => this.#run());
    this.#resize();
    this.#run();
  }

  /** Hearts came: the light answers. */
  warm(hearts) {
    this.#warmth = Math.min(1, this.#warmth + hearts * WARMTH_OF_A_HEART);
  }

  #run() {
    if (isCalm()) this.#draw(STILL_MS);
    else requestAnimationFrame((now) => this.#frame(now));
  }

  #frame(now) {
    if (isCalm()) return;
    const passed = now - this.#lastDraw;
    if (this.#drewLast) this.#judge(passed);
    this.#drewLast = passed >= this.#effort.interval - 4;
    if (this.#drewLast) {
      this.#lastDraw = now;
      this.#warmth *= 1 - (Math.min(passed, 200) / 1000) * COOLING_PER_S;
      this.#draw(now);
    }
    requestAnimationFrame((next) => this.#frame(next));
  }

  /** Without a graphics card the picture takes time that the chat needs more. */
  #judge(passed) {
    if (this.#effort === MODEST) return;
    this.#slowness = Math.max(0, this.#slowness + (passed > SLOW_FRAME_MS ? 1 : -0.5));
    if (this.#slowness < SLOW_FRAMES) return;
    this.#effort = MODEST;
    this.#resize();
  }

  #resize() {
    const { clientWidth, clientHeight } = this.#canvas;
    if (clientWidth === 0) return;
    const most = Math.sqrt(this.#effort.pixels / (clientWidth * clientHeight));
    const ratio = Math.min(devicePixelRatio, most);
    this.#canvas.width = Math.round(clientWidth * ratio);
    this.#canvas.height = Math.round(clientHeight * ratio);
    this.#draw(isCalm() ? STILL_MS : performance.now());
  }

  #draw(now) {
    const { width, height } = this.#canvas;
    const t = now / 1000;
    this.#drawSky(width, height, t);
    for (const [index, swell] of SWELLS.entries()) {
      const base = SWELLS[index + 1]?.y ?? 1;
      this.#drawSwell(swell, { width, height, t, base });
      if (index < 5) this.#drawGlitter(swell, { width, height, t, index });
    }
    this.#drawSparks(width, height, t);
    this.#drawShade(width, height);
  }

  #drawSky(width, height, t) {
    const pen = this.#pen;
    const sky = pen.createLinearGradient(0, 0, 0, height * HORIZON);
    sky.addColorStop(0, "#0a1124");
    sky.addColorStop(0.45, "#1b2947");
    sky.addColorStop(0.78, "#5a4a68");
    sky.addColorStop(0.93, "#b8756b");
    sky.addColorStop(1, "#e9a878");
    pen.fillStyle = sky;
    pen.fillRect(0, 0, width, height);
    const [x, y] = this.#sun(width, height, t);
    const reach = height * (0.62 + 0.05 * Math.sin(t * 0.35) + 0.22 * this.#warmth);
    pen.globalCompositeOperation = "lighter";
    const halo = pen.createRadialGradient(x, y, 0, x, y, reach);
    halo.addColorStop(0, `rgb(255 176 112 / ${0.5 + 0.25 * this.#warmth})`);
    halo.addColorStop(0.25, `rgb(240 120 100 / ${0.22 + 0.2 * this.#warmth})`);
    halo.addColorStop(1, "rgb(60 40 90 / 0)");
    pen.fillStyle = halo;
    pen.fillRect(0, 0, width, height);
    this.#drawVeils(width, height, t);
    pen.globalCompositeOperation = "source-over";
    pen.fillStyle = "#ffe0b0";
    pen.beginPath();
    pen.arc(x, y, height * 0.052, 0, Math.PI * 2);
    pen.fill();
  }

  /** Long thin clouds that drift through the light. */
  #drawVeils(width, height, t) {
    const pen = this.#pen;
    for (let i = 0; i < 5; i += 1) {
      const drift = ((i * 0.37 + t * (0.0022 + i * 0.0006)) % 1.6) - 0.3;
      const y = height * (0.2 + i * 0.075);
      const high = height * (0.03 + 0.008 * (i % 3));
      pen.save();
      pen.translate(drift * width, y);
      pen.scale(width * 0.34, high);
      const veil = pen.createRadialGradient(0, 0, 0, 0, 0, 1);
      veil.addColorStop(0, `rgb(220 150 140 / ${0.1 + 0.03 * i})`);
      veil.addColorStop(1, "rgb(220 150 140 / 0)");
      pen.fillStyle = veil;
      pen.fillRect(-1, -1, 2, 2);
      pen.restore();
    }
  }

  #sun(width, height, t) {
    return [width * (0.6 + 0.02 * Math.sin(t * 0.05)), height * (HORIZON - 0.035)];
  }

  #line(swell, x, t) {
    const lift = 1 + 0.5 * this.#warmth;
    const a = Math.sin((x * Math.PI * 2 * 2.2) / swell.long + t * swell.speed * 2.1);
    const b = Math.sin((x * Math.PI * 2 * 5.1) / swell.long - t * swell.speed * 3.3 + swell.y * 40);
    const c = Math.sin((x * Math.PI * 2 * 11) / swell.long + t * swell.speed * 4.7 + swell.y * 90);
    return swell.y + swell.high * lift * (0.62 * a + 0.28 * b + 0.1 * c);
  }

  /** Each swell darkens towards `base`, so that the next one stands out before it. */
  #drawSwell(swell, { width, height, t, base }) {
    const pen = this.#pen;
    const crest = height * (swell.y - swell.high);
    const fill = pen.createLinearGradient(0, crest, 0, height * (base + swell.high));
    fill.addColorStop(0, swell.top);
    fill.addColorStop(1, swell.low);
    pen.beginPath();
    pen.moveTo(0, height);
    for (let i = 0; i <= STEPS; i += 1) {
      pen.lineTo((i / STEPS) * width, this.#line(swell, i / STEPS, t) * height);
    }
    pen.lineTo(width, height);
    pen.closePath();
    pen.fillStyle = fill;
    pen.fill();
    this.#drawCrest(swell, { width, height, t });
  }

  /** The edge of a swell catches the light, most of all in front of the sun. */
  #drawCrest(swell, { width, height, t }) {
    const pen = this.#pen;
    const [sunX] = this.#sun(width, height, t);
    const light = pen.createLinearGradient(sunX - width / 2, 0, sunX + width / 2, 0);
    light.addColorStop(0, "rgb(150 170 200 / 0)");
    light.addColorStop(0.32, "rgb(240 165 145 / 0.1)");
    light.addColorStop(0.5, `rgb(255 210 165 / ${0.5 + 0.4 * this.#warmth})`);
    light.addColorStop(0.68, "rgb(240 165 145 / 0.1)");
    light.addColorStop(1, "rgb(150 170 200 / 0)");
    pen.beginPath();
    for (let i = 0; i <= STEPS; i += 1) {
      pen.lineTo((i / STEPS) * width, this.#line(swell, i / STEPS, t) * height);
    }
    pen.strokeStyle = light;
    pen.lineWidth = Math.max(0.7, height * (swell.y - 0.5) * 0.007);
    pen.stroke();
  }

  /** The light's path on the water: short strokes, wider the nearer they are. */
  #drawGlitter(swell, { width, height, t, index }) {
    const pen = this.#pen;
    const [sunX] = this.#sun(width, height, t);
    pen.globalCompositeOperation = "lighter";
    for (let i = 0; i < 14; i += 1) {
      const seed = index * 14 + i;
      const spread = (Math.sin(seed * 12.9898) * 43758.5453) % 1;
      const sway = 0.004 * Math.sin(t * 0.6 + seed);
      const x = sunX + width * (spread * (0.05 + index * 0.03) + sway);
      const y = (this.#line(swell, x / width, t) + 0.006 + ((seed * 0.618) % 1) * 0.05) * height;
      const glow = Math.max(0, Math.sin(t * (0.7 + (seed % 5) * 0.13) + seed * 2.4));
      pen.fillStyle = `rgb(255 190 135 / ${(0.09 + 0.34 * glow) * (0.8 + 0.6 * this.#warmth)})`;
      const long = width * (0.012 + 0.011 * index) * (0.5 + glow);
      pen.beginPath();
      pen.ellipse(x, y, long, Math.max(0.8, height * 0.0022), 0, 0, Math.PI * 2);
      pen.fill();
    }
    pen.globalCompositeOperation = "source-over";
  }

  #drawSparks(width, height, t) {
    const pen = this.#pen;
    pen.globalCompositeOperation = "lighter";
    for (const spark of this.#sparks) {
      const rise = (spark.y + t * 0.006 * spark.depth * (1 + 3 * this.#warmth)) % 1;
      const x = (spark.x + 0.02 * Math.sin(t * 0.25 * spark.depth + spark.phase)) * width;
      const y = height * (1.02 - rise * 0.7);
      const blink = 0.5 + 0.5 * Math.sin(t * 0.9 + spark.phase);
      const fade = Math.sin(rise * Math.PI) * (0.6 + 1.6 * this.#warmth);
      const alpha = (0.06 + 0.3 * blink * spark.depth) * fade;
      pen.fillStyle = `rgb(255 205 165 / ${Math.min(1, alpha)})`;
      pen.beginPath();
      pen.arc(x, y, height * 0.0028 * spark.depth * (1 + this.#warmth), 0, Math.PI * 2);
      pen.fill();
    }
    pen.globalCompositeOperation = "source-over";
  }

  #drawShade(width, height) {
    const pen = this.#pen;
    const shade = pen.createLinearGradient(0, 0, 0, height);
    shade.addColorStop(0, "rgb(4 7 14 / 0.5)");
    shade.addColorStop(0.22, "rgb(4 7 14 / 0)");
    shade.addColorStop(0.75, "rgb(4 7 14 / 0)");
    shade.addColorStop(1, "rgb(4 7 14 / 0.45)");
    pen.fillStyle = shade;
    pen.fillRect(0, 0, width, height);
  }
}
