// SPDX-License-Identifier: GPL-3.0-or-later
// The faces picked for a blend, in a tray at the foot of the window.

import { release, thumbnail } from "./picture.js";
import { MAX_PICKS } from "./view.js";

export class Picks {
  #tray;
  #list;
  #advice;
  #start;
  #changed;
  #truncation = 1;
  seeds = [];

  // `changed()` when a face was picked or removed, `blend(seeds)` when the button is pressed.
  constructor({ tray, list, advice, start, clear }, { changed, blend }) {
    this.#tray = tray;
    this.#list = list;
    this.#advice = advice;
    this.#start = start;
    this.#changed = changed;
    start.addEventListener("click", () => blend(this.seeds));
    clear.addEventListener("click", () => this.clear());
    list.addEventListener("click", ({ target }) => {
      const seed = target.closest("button")?.value;
      if (seed !== undefined) this.toggle(seed);
    });
  }

  has(seed) {
    return this.seeds.includes(seed);
  }

  toggle(seed) {
    if (this.has(seed)) {
      this.seeds = this.seeds.filter((picked) => picked !== seed);
      this.#list.querySelectorAll("li").forEach((item) => {
        if (item.dataset.seed === seed) this.#remove(item);
      });
    } else if (this.seeds.length < MAX_PICKS) {
      this.seeds = [...this.seeds, seed];
      this.#list.append(this.#item(seed));
    } else {
      this.#advice.textContent = `No more than ${MAX_PICKS}: remove one first`;
      return;
    }
    this.#update();
  }

  clear() {
    this.seeds = [];
    this.#list.querySelectorAll("li").forEach((item) => this.#remove(item));
    this.#update();
  }

  set({ truncation }) {
    this.#truncation = truncation;
  }

  #remove(item) {
    item.querySelectorAll("img").forEach(release);
    item.remove();
  }

  #item(seed) {
    const item = document.createElement("li");
    item.dataset.seed = seed;
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "thumb", value: seed });
    button.setAttribute("aria-label", `Remove face ${seed}`);
    button.title = "Remove";
    thumbnail(button, seed, this.#truncation);
    item.append(button);
    return item;
  }

  #update() {
    const count = this.seeds.length;
    this.#tray.hidden = count === 0;
    document.body.classList.toggle("with-tray", count > 0);
    this.#start.disabled = count < 2;
    this.#advice.textContent = count < 2 ? "Pick another face" : "";
    this.#changed();
  }
}
