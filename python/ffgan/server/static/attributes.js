// SPDX-License-Identifier: GPL-3.0-or-later
// Controls named after attributes: a slider for each number, buttons for a choice. What is asked
// for is held, whatever else changes, until it is released; the others show what the face has.

import { fill, MINUS, span } from "./sliders.js";

// The attributes by the number behind them: two may be words and a number for the same thing, such
// as a tone and its angle, and only one of them can be asked for.
export function byColumn(attributes) {
  const columns = new Map();
  for (const one of attributes) {
    columns.set(one.column, [...(columns.get(one.column) ?? []), one]);
  }
  return columns;
}

export function withUnit(text, { unit }) {
  const shown = text.replace(/^-|(?<=[.,])-/g, MINUS);
  return unit ? `${shown} ${unit}` : shown;
}

// A number with the decimals worth showing, and no sign before a zero; a word as it is.
function formatted(value, { decimals }) {
  if (typeof value !== "number") return value ?? "";
  return value.toFixed(decimals).replace(/^-(?=0(\.0*)?$)/, "");
}

// Above it dlib's face recognition takes two faces for two people's.
const SAME_PERSON = 0.6;

// Where a text such as "60" asks for one value, that number; of ranges and lists nothing.
const valueOf = (text) => (text === undefined || text.trim() === "" ? NaN : Number(text));

class Control {
  constructor(attribute, siblings, changed) {
    this.attribute = attribute;
    this.siblings = siblings;
    this.changed = changed;
    this.asked = null;
    this.measured = null;
    this.element = document.createElement("div");
    this.element.className = "attribute";
    this.output = document.createElement("output");
    // Only the line of what was reached is read aloud by itself, not all values of each face.
    this.output.setAttribute("aria-live", "off");
  }

  // `asked`: { name, text } or null, `measured`: what the face has, of each attribute by name.
  set(asked, measured) {
    this.asked = asked;
    this.measured = measured.get(this.attribute.name) ?? null;
    this.element.classList.toggle("asked", asked !== null);
    this.paint();
  }

  ask(text, dragging = false) {
    this.changed(this.siblings, this.attribute.name, text, dragging);
  }

  get words() {
    if (this.asked !== null) {
      const { name, text } = this.asked;
      return name === this.attribute.name ? withUnit(text, this.attribute) : text;
    }
    return this.measured === null ? "" : withUnit(this.format(this.measured), this.attribute);
  }

  format(value) {
    return formatted(value, this.attribute);
  }
}

class NumberControl extends Control {
  constructor(attribute, siblings, changed, icon) {
    super(attribute, siblings, changed);
    const { name, title, help, low, high, decimals } = attribute;
    const id = `attribute-${name}`;
    const label = document.createElement("label");
    label.htmlFor = id;
    this.output.htmlFor = id;
    label.append(span(title), this.output);
    label.title = help;
    this.input = document.createElement("input");
    // Inwards, since the server refuses what lies beyond.
    const scale = 10 ** decimals;
    const [min, max] = [Math.ceil(low * scale) / scale, Math.floor(high * scale) / scale];
    Object.assign(this.input, { type: "range", id, min, max, step: 1 / scale });
    this.input.value = (min + max) / 2;
    this.input.setAttribute("aria-label", title);
    this.hold = document.createElement("button");
    Object.assign(this.hold, { type: "button", className: "hold" });
    this.hold.append(icon.content.cloneNode(true));
    this.element.append(label, this.input, this.hold);
    this.input.addEventListener("input", () => this.#moved(true));
    this.input.addEventListener("change", () => this.#moved(false));
    this.input.addEventListener("dblclick", () => this.ask(null));
    this.hold.addEventListener("click", () => {
      if (this.asked !== null) this.ask(null);
      else if (this.measured !== null) this.ask(this.#here);
    });
  }

  #moved(dragging) {
    this.ask(this.format(Number(this.input.value)), dragging);
  }

  // The value that the face has; what the model gives no other face, it cannot be asked for.
  get #here() {
    const { low, high, decimals } = this.attribute;
    return String(Number(Math.min(Math.max(this.measured, low), high).toFixed(decimals + 1)));
  }

  paint() {
    const asked = valueOf(this.asked?.name === this.attribute.name ? this.asked.text : undefined);
    const value = Number.isNaN(asked) ? this.measured : asked;
    if (value !== null) this.input.value = value;
    const { min, max } = this.input;
    fill(this.input, 0, this.asked === null ? 0 : (this.input.value - min) / (max - min));
    this.output.textContent = this.words;
    this.input.setAttribute("aria-valuetext", this.words || "unknown");
    const held = this.asked !== null;
    // A button that is disabled while it has the focus would lose it.
    this.hold.setAttribute("aria-disabled", !held && this.measured === null);
    this.hold.setAttribute("aria-pressed", held);
    this.hold.setAttribute("aria-label", `Hold ${this.attribute.title.toLowerCase()}`);
    this.hold.title = held ? "Let it follow from the face again" : "Hold this value";
  }
}

class ChoiceControl extends Control {
  constructor(attribute, siblings, changed) {
    super(attribute, siblings, changed);
    const { name, title, help, choices } = attribute;
    const label = document.createElement("p");
    label.id = `attribute-${name}`;
    label.title = help;
    label.append(span(title), this.output);
    const group = document.createElement("div");
    group.className = "choices";
    group.setAttribute("role", "group");
    group.setAttribute("aria-labelledby", label.id);
    this.buttons = choices.map((word) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "button", textContent: word });
      button.addEventListener("click", () => this.ask(this.asked?.text === word ? null : word));
      return button;
    });
    group.append(...this.buttons);
    this.element.append(label, group);
  }

  paint() {
    this.output.textContent = this.words;
    for (const button of this.buttons) {
      const pressed = this.asked?.text.split(",").includes(button.textContent) ?? false;
      button.setAttribute("aria-pressed", pressed);
    }
  }
}

export class Attributes {
  #controls = [];
  #all;

  // `changed(names, name, text, dragging)`: `text` is asked of the attribute `name`, null for
  // nothing, and nothing of the others of `names` any more.
  constructor(place, attributes, icon, changed) {
    for (const group of byColumn(attributes).values()) {
      const main = group.find(({ kind }) => kind === "number") ?? group[0];
      const names = group.map(({ name }) => name);
      const Kind = main.kind === "number" ? NumberControl : ChoiceControl;
      const control = new Kind(main, names, changed, icon);
      this.#controls.push(control);
      place.append(control.element);
    }
    this.#all = new Map(attributes.map((one) => [one.name, one]));
  }

  // `measured` has the values of the face by name, as far as they are known.
  set({ asked, changes }, measured) {
    for (const control of this.#controls) {
      let found = null;
      for (const name of control.siblings) {
        if (asked.has(name)) found = { name, text: asked.get(name) };
        else if (changes.has(name)) found = { name: "", text: changeText(changes.get(name)) };
      }
      control.set(found, measured);
    }
  }

  // What came of what was asked, in a sentence. `reached` is false where it was not; `distance` is
  // that of the embeddings with and without what is asked, null where it is not known.
  report({ asked, changes }, measured, reached, distance) {
    const names = [...asked.keys(), ...changes.keys()];
    if (!names.length) return "Move a slider to ask for a value; it is then held.";
    const parts = names.filter((name) => measured.has(name) && this.#all.has(name));
    const words = parts.map((name) => {
      const one = this.#all.get(name);
      return `${one.title.toLowerCase()} ${withUnit(formatted(measured.get(name), one), one)}`;
    });
    if (!words.length) return "";
    const what = reached
      ? `Reached: ${words.join(", ")}.`
      : `This face cannot have all of that. Nearest: ${words.join(", ")}.`;
    return distance !== null && distance > SAME_PERSON
      ? `${what} Face recognition would take it for another person (distance ${distance.toFixed(2)}).`
      : what;
  }
}

const changeText = (amount) => `${Number(amount) < 0 ? "" : "+"}${amount}`;

// The values of a face as its response tells them, "age=59.6,gender=male".
export function measuredOf(headers) {
  const parts = headers.get("X-FFGAN-Attributes")?.split(",") ?? [];
  return parts.map((part) => {
    const [name, text] = part.split("=");
    return [name, Number.isNaN(Number(text)) ? text : Number(text)];
  });
}
