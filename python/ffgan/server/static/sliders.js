// SPDX-License-Identifier: GPL-3.0-or-later
// Sliders to explore with: truncation, and the strongest directions of the latent space.

import { request } from "./picture.js";
import { written } from "./view.js";

const SHOWN_DIRECTIONS = 10;
const REACH = 4;
export const MINUS = "\u2212";

export const signed = (number, digits) =>
  `${number < 0 ? MINUS : "+"}${Math.abs(number).toFixed(digits)}`;

// Fills a slider's track between two places, from 0 to 1.
export function fill(input, from, to) {
  input.style.setProperty("--from", from);
  input.style.setProperty("--to", to);
}

// A slider whose track is filled from its neutral value. `moved(value, dragging)` is called while
// it is dragged and when it is released.
class Slider {
  constructor({ id, low, high, name, range, neutral, step, shown, atRest = "" }, moved) {
    this.neutral = neutral;
    this.shown = shown;
    this.atRest = atRest;
    this.element = document.createElement("div");
    this.element.className = "slider";
    const label = document.createElement("label");
    label.htmlFor = id;
    this.output = document.createElement("output");
    this.output.htmlFor = id;
    label.append(...(high === null ? [low, this.output] : [low, this.output, high]).map(span));
    this.input = document.createElement("input");
    Object.assign(this.input, { type: "range", id, min: range[0], max: range[1], step });
    this.input.setAttribute("aria-label", name);
    this.element.append(label, this.input);
    this.input.addEventListener("input", () => {
      this.#paint();
      moved(Number(this.input.value), true);
    });
    this.input.addEventListener("change", () => moved(Number(this.input.value), false));
    this.input.addEventListener("dblclick", () => {
      this.set(neutral);
      moved(neutral, false);
    });
    this.set(neutral);
  }

  set(value) {
    // A link may exceed the slider's own range.
    if (value < Number(this.input.min)) this.input.min = value;
    if (value > Number(this.input.max)) this.input.max = value;
    this.input.value = value;
    this.#paint();
  }

  #paint() {
    const { min, max, value } = this.input;
    const place = (at) => (at - min) / (max - min);
    const from = place(Math.min(value, this.neutral));
    const to = place(Math.max(value, this.neutral));
    fill(this.input, from, to);
    const text = this.shown(Number(value));
    this.output.textContent = Number(value) === this.neutral ? this.atRest : text;
    this.input.setAttribute("aria-valuetext", text);
  }
}

export function span(content) {
  const element = document.createElement("span");
  element.append(content);
  return element;
}

export class Sliders {
  #truncation;
  #directions = new Map();
  #moves = new Map();
  #place;
  #changed;

  // `changed(what, value, dragging)`: `what` is "truncation" or a direction's index.
  constructor(truncation, directions, changed) {
    this.#place = directions;
    this.#changed = changed;
    this.#truncation = new Slider(
      {
        id: "slider-truncation",
        low: "typical",
        high: "varied",
        name: "Truncation, from typical to varied",
        range: [0, 2],
        neutral: 1,
        step: 0.05,
        shown: (value) => `truncation ${written(value)}`,
        atRest: "truncation",
      },
      (value, dragging) => changed("truncation", value, dragging),
    );
    truncation.append(this.#truncation.element);
  }

  async load() {
    const directions = await (await request("directions")).json();
    for (const { index, low, high } of directions.slice(0, SHOWN_DIRECTIONS)) {
      const named = low !== null && high !== null;
      const slider = new Slider(
        {
          id: `slider-direction-${index}`,
          low: named ? low : `Direction ${index + 1}`,
          high: named ? high : null,
          name: named ? `From ${low} to ${high}` : `Direction ${index + 1}`,
          range: [-REACH, REACH],
          neutral: 0,
          step: 0.1,
          shown: (value) => (value === 0 ? "0" : signed(value, 1)),
        },
        (value, dragging) => this.#changed(index, value, dragging),
      );
      this.#directions.set(index, slider);
      this.#place.append(slider.element);
    }
    this.#setMoves();
  }

  set({ truncation, moves }) {
    this.#truncation.set(truncation);
    this.#moves = moves;
    this.#setMoves();
  }

  #setMoves() {
    for (const [index, slider] of this.#directions) slider.set(this.#moves.get(index) ?? 0);
  }
}
