// SPDX-License-Identifier: GPL-3.0-or-later
// The slider between two to four faces, with each of them at its place.

import { release, thumbnail } from "./picture.js";

export class Blend {
  #place;
  #stops;
  #at;
  #changed;
  #shown = "";

  // `changed(at, dragging)`.
  constructor(place, changed) {
    this.#place = place;
    this.#stops = place.querySelector("ol");
    this.#at = place.querySelector("input");
    this.#changed = changed;
    this.#at.addEventListener("input", () => changed(Number(this.#at.value), true));
    this.#at.addEventListener("change", () => changed(Number(this.#at.value), false));
  }

  set({ seeds, at, truncation }) {
    this.#place.hidden = seeds.length === 1;
    if (this.#place.hidden) return;
    this.#at.max = seeds.length - 1;
    this.#at.value = at;
    this.#at.setAttribute("aria-valuetext", where(seeds, at));
    const shown = `${seeds} ${truncation}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#stops.querySelectorAll("img").forEach(release);
    this.#stops.replaceChildren(
      ...seeds.map((seed, place) => {
        const stop = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.className = "thumb";
        button.setAttribute("aria-label", `Go to face ${seed}`);
        button.addEventListener("click", () => this.#changed(place, false));
        thumbnail(button, seed, truncation);
        stop.append(button);
        return stop;
      }),
    );
  }
}

function where(seeds, at) {
  const before = Math.floor(at);
  if (at === before) return `face ${seeds[before]}`;
  const part = `${Math.round(100 * (at - before))}% of the way`;
  return `${part} from face ${seeds[before]} to face ${seeds[before + 1]}`;
}
