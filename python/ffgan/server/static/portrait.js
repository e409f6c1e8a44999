// SPDX-License-Identifier: GPL-3.0-or-later
// The large face. One request at a time, and only for the latest view: a slider that moves faster
// than faces arrive skips some, and never waits for an outdated one.

import { picture, release } from "./picture.js";
import { faceQuery } from "./view.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");
const FADE_MILLISECONDS = 180;
// Three times the size of the network's faces, enlarged by the server: browsers differ in how
// smoothly they do it. JPEG, since encoding a WebP takes longer than drawing the face.
const SHOWN = "size=486&quality=90";

export class Portrait {
  #frame;
  #tell;
  #wanted = null;
  #coming = null;
  #shown = null;
  #running = false;
  #current = new AbortController();

  // `tell` has shown(view, headers), waiting(words), failed(words) and busy(whether).
  constructor(frame, tell) {
    this.#frame = frame;
    this.#tell = tell;
  }

  get busy() {
    return this.#running;
  }

  // While `dragging`, the face already requested is still shown, so that the image follows the slider.
  show(view, { dragging = false, fade = false } = {}) {
    const query = faceQuery(view);
    if (!this.#running && query === this.#shown?.query) {
      this.#tell.shown(view, this.#shown.headers);
      return;
    }
    this.#wanted = { view, query, fade };
    if (query === this.#coming && !this.#current.signal.aborted) this.#wanted = null;
    else if (!dragging) this.#current.abort();
    if (!this.#running) this.#run();
  }

  async #run() {
    this.#running = true;
    this.#tell.busy(true);
    while (this.#wanted) {
      const { view, query, fade } = this.#wanted;
      this.#wanted = null;
      this.#coming = query;
      this.#current = new AbortController();
      const { signal } = this.#current;
      try {
        const { image, headers } = await picture(`face.jpg?${query}&${SHOWN}`, {
          signal,
          priority: "high",
          waiting: this.#tell.waiting,
        });
        this.#hang(image, view, fade);
        this.#shown = { query, headers };
        this.#tell.shown(view, headers);
      } catch (error) {
        if (signal.aborted) continue;
        this.#shown = null;
        this.#tell.failed(error.message);
      }
    }
    this.#coming = null;
    this.#running = false;
    this.#tell.busy(false);
  }

  #hang(image, view, fade) {
    image.className = "face";
    image.alt = describe(view);
    const before = [...this.#frame.children];
    this.#frame.append(image);
    const takeDown = () => {
      for (const old of before) {
        old.remove();
        release(old);
      }
    };
    if (fade && before.length && !still.matches) {
      const duration = FADE_MILLISECONDS;
      image.animate([{ opacity: 0 }, { opacity: 1 }], { duration }).finished.then(takeDown);
    } else {
      takeDown();
    }
  }
}

function describe({ seeds, moves, asked, changes }) {
  const adjusted = moves.size || asked.size || changes.size ? ", adjusted" : "";
  return seeds.length === 1
    ? `A generated face, seed ${seeds[0]}${adjusted}`
    : `A generated face between seeds ${seeds.join(", ")}${adjusted}`;
}
