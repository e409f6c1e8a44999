// SPDX-License-Identifier: GPL-3.0-or-later
// The gallery: faces of consecutive seeds, loaded while scrolling. Tiles near the screen get an
// image; tiles far from it release their memory and abort their request.

import { picture, release } from "./picture.js";
import { faceQuery, MAX_SEED } from "./view.js";

const BATCH = 48;
// Even a tile without an image takes some memory.
const MAX_TILES = 960;
const REQUESTS = 4;
const NEAR = "400px 0px";
// Far enough that scrolling back a little finds the faces still loaded.
const FAR = "1600px 0px";

export class Gallery {
  #wall;
  #end;
  #onward;
  #tell;
  #start = null;
  #truncation = 1;
  #tiles = new Map();
  #queue = [];
  #running = 0;
  #picks = [];
  #nearObserver = new IntersectionObserver((seen) => this.#cameNear(seen), { rootMargin: NEAR });
  #farObserver = new IntersectionObserver((seen) => this.#wentFar(seen), { rootMargin: FAR });
  #endObserver = new IntersectionObserver((seen) => this.#reached(seen), { rootMargin: NEAR });

  // `tell` has show(seed), pick(seed), onward(seed), failed(words) and recovered().
  constructor({ wall, end, onward }, tell) {
    this.#wall = wall;
    this.#end = end;
    this.#onward = onward;
    this.#tell = tell;
    onward.addEventListener("click", () => tell.onward(onward.value));
    wall.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      const seed = button?.closest("li").dataset.seed;
      if (button?.classList.contains("pick")) tell.pick(seed);
      else if (button) tell.show(seed);
    });
  }

  // Shows the faces from `start` on; tiles that exist already are updated.
  set({ gallery, truncation }) {
    const drawn = truncation !== this.#truncation;
    this.#truncation = truncation;
    if (gallery !== this.#start) {
      this.#start = gallery;
      this.#clear();
      this.#endObserver.observe(this.#end);
    } else if (drawn) {
      for (const tile of this.#tiles.values()) {
        tile.stale = true;
        if (tile.near) this.#want(tile);
      }
    }
  }

  mark(picks) {
    for (const seed of this.#picks) this.#paint(seed, -1);
    picks.forEach((seed, place) => this.#paint(seed, place));
    this.#picks = [...picks];
  }

  // Retries what failed.
  retry() {
    for (const tile of this.#tiles.values()) if (tile.near && tile.failed) this.#want(tile);
  }

  #clear() {
    for (const tile of this.#tiles.values()) this.#drop(tile);
    this.#nearObserver.disconnect();
    this.#farObserver.disconnect();
    this.#endObserver.disconnect();
    this.#tiles.clear();
    this.#wall.replaceChildren();
    this.#onward.hidden = true;
  }

  #reached(seen) {
    if (!seen.at(-1).isIntersecting) return;
    const next = BigInt(this.#start) + BigInt(this.#tiles.size);
    if (next > MAX_SEED) return;
    if (this.#tiles.size >= MAX_TILES) {
      this.#onward.value = next;
      this.#onward.textContent = `Continue from face ${next}`;
      this.#onward.hidden = false;
      return;
    }
    const left = MAX_SEED - next + 1n;
    const count = left < BATCH ? Number(left) : BATCH;
    for (let i = 0; i < count; i += 1) this.#add(String(next + BigInt(i)));
    this.mark(this.#picks);
    // Reports the position of the end again: it may still be on the screen.
    this.#endObserver.unobserve(this.#end);
    this.#endObserver.observe(this.#end);
  }

  #add(seed) {
    const element = document.createElement("li");
    element.dataset.seed = seed;
    const show = document.createElement("button");
    Object.assign(show, { type: "button", className: "show", title: `Face ${seed}` });
    show.setAttribute("aria-label", `Show face ${seed}`);
    const pick = document.createElement("button");
    Object.assign(pick, { type: "button", className: "pick" });
    pick.setAttribute("aria-label", `Pick face ${seed}`);
    element.append(show, pick);
    // Near the screen; refused by the server; drawn with another truncation than the present one.
    const state = { near: false, failed: false, stale: false };
    this.#tiles.set(seed, { seed, element, show, pick, image: null, request: null, ...state });
    this.#paint(seed, -1);
    this.#wall.append(element);
    this.#nearObserver.observe(element);
    this.#farObserver.observe(element);
  }

  #paint(seed, place) {
    const tile = this.#tiles.get(seed);
    if (!tile) return;
    tile.element.classList.toggle("picked", place >= 0);
    tile.pick.textContent = place >= 0 ? place + 1 : "+";
    tile.pick.setAttribute("aria-pressed", place >= 0);
  }

  #cameNear(seen) {
    for (const { target, isIntersecting } of seen) {
      const tile = this.#tiles.get(target.dataset.seed);
      if (tile?.element !== target) continue;
      tile.near = isIntersecting;
      if (tile.image && !tile.stale) continue;
      if (isIntersecting) this.#want(tile);
      else if (!tile.image) this.#drop(tile);
    }
  }

  #wentFar(seen) {
    for (const { target, isIntersecting } of seen) {
      const tile = this.#tiles.get(target.dataset.seed);
      if (tile?.element === target && !isIntersecting) this.#drop(tile);
    }
  }

  #want(tile) {
    tile.failed = false;
    tile.request?.abort();
    tile.request = null;
    if (!this.#queue.includes(tile)) this.#queue.push(tile);
    this.#run();
  }

  #drop(tile) {
    this.#queue = this.#queue.filter((waiting) => waiting !== tile);
    tile.request?.abort();
    tile.request = null;
    this.#hang(tile, null);
  }

  #hang(tile, image) {
    if (tile.image) {
      tile.image.remove();
      release(tile.image);
    }
    tile.image = image;
    tile.stale = false;
    if (image) tile.show.append(image);
  }

  async #run() {
    while (this.#running < REQUESTS && this.#queue.length) {
      const tile = this.#queue.shift();
      this.#running += 1;
      this.#load(tile).finally(() => {
        this.#running -= 1;
        this.#run();
      });
    }
  }

  async #load(tile) {
    const request = new AbortController();
    tile.request = request;
    const { signal } = request;
    const view = { seeds: [tile.seed], truncation: this.#truncation, moves: new Map() };
    try {
      const url = `face.jpg?${faceQuery(view)}`;
      const { image } = await picture(url, { signal, priority: "low" });
      image.alt = "";
      this.#hang(tile, image);
      this.#tell.recovered();
    } catch (error) {
      if (signal.aborted) return;
      tile.failed = true;
      this.#tell.failed(error.message);
    } finally {
      if (tile.request === request) tile.request = null;
    }
  }
}
