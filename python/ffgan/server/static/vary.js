// SPDX-License-Identifier: GPL-3.0-or-later
// One face with an attribute from end to end, or with two of them: one picture, with a button over
// each of its faces.

import { byColumn, withUnit } from "./attributes.js";
import { picture, release } from "./picture.js";
import { faceQuery } from "./view.js";

const SHOWN = "quality=90";

export class Vary {
  #parts;
  #attributes;
  #tell;
  #view = null;
  #shown = null;
  #current = new AbortController();

  // `parts`: across and down (select), sheet, downloads (links). `tell` has vary(names),
  // ask(values), waiting(words), failed(words) and done().
  constructor(parts, attributes, tell) {
    this.#parts = parts;
    this.#attributes = new Map(attributes.map((one) => [one.name, one]));
    this.#tell = tell;
    for (const select of [parts.across, parts.down]) {
      for (const group of byColumn(attributes).values()) {
        const { name, title } = group.find(({ kind }) => kind === "number") ?? group[0];
        select.append(new Option(title, name));
      }
      select.addEventListener("change", () => {
        const [across, down] = [parts.across.value, parts.down.value];
        tell.vary(across && down && down !== across ? [across, down] : across ? [across] : []);
      });
    }
    parts.sheet.addEventListener("click", ({ target }) => {
      const cell = target.closest("button");
      if (cell) tell.ask(new Map(JSON.parse(cell.value)));
    });
  }

  // Shows the strip or grid of a view; `settled`: the large face is there, so that it came first.
  set(view, settled) {
    this.#view = view;
    const { across, down, sheet, downloads } = this.#parts;
    const [first = "", second = ""] = view.vary;
    across.value = first;
    down.value = second;
    down.disabled = first === "";
    for (const option of down.options) option.disabled = option.value !== "" && option.value === first;
    const can = view.vary.length > 0 && view.seeds.length === 1 && view.moves.size === 0;
    const url = can ? this.#url(view) : null;
    downloads.hidden = !can;
    if (url === this.#shown) return;
    this.#current.abort();
    if (!can) {
      this.#clear();
      const words = "A strip is of one face, as its seed draws it: reset the sliders under Explore.";
      this.#tell.waiting(view.vary.length ? words : "");
      return;
    }
    if (settled) this.#load(url);
    else sheet.setAttribute("aria-busy", true);
  }

  retry() {
    this.#shown = null;
    this.set(this.#view, true);
  }

  // What is asked of the attributes that vary has no part in it.
  #url(view) {
    const asked = new Map(view.asked);
    const changes = new Map(view.changes);
    for (const name of view.vary) {
      for (const { name: other, column } of this.#attributes.values()) {
        if (column !== this.#attributes.get(name).column) continue;
        asked.delete(other);
        changes.delete(other);
      }
    }
    const query = faceQuery({ ...view, asked, changes });
    return `${view.vary.length === 1 ? "strip" : "grid"}.jpg?${query}&vary=${view.vary.join(",")}`;
  }

  async #load(url) {
    this.#shown = url;
    this.#current = new AbortController();
    const { signal } = this.#current;
    const { sheet, downloads } = this.#parts;
    sheet.setAttribute("aria-busy", true);
    try {
      const { image, headers } = await picture(`${url}&${SHOWN}`, {
        signal,
        priority: "low",
        waiting: this.#tell.waiting,
      });
      const reached = (headers.get("X-FFGAN-Reached") ?? "").split(",");
      this.#hang(image, valuesOf(headers.get("X-FFGAN-Vary")), reached);
      for (const link of downloads.querySelectorAll("a")) {
        const { sheet: format } = link.dataset;
        link.href = url.replace(".jpg", `.${format}`);
        link.download = `ffgan-${this.#view.seeds[0]}-${this.#view.vary.join("-")}.${format}`;
      }
      const missed = reached.filter((word) => word === "no").length;
      this.#tell.done(
        missed
          ? `This face does not reach ${missed} of these ${reached.length}; the nearest are shown.`
          : "",
      );
    } catch (error) {
      if (signal.aborted) return;
      this.#shown = null;
      this.#clear();
      this.#tell.failed(error.message);
    }
    sheet.setAttribute("aria-busy", false);
  }

  #clear() {
    this.#shown = null;
    this.#parts.sheet.querySelectorAll("img").forEach(release);
    this.#parts.sheet.replaceChildren();
  }

  #hang(image, [across, down], reached) {
    const { sheet } = this.#parts;
    const shown = this.#shown;
    this.#clear();
    this.#shown = shown;
    const rows = down?.values ?? [null];
    sheet.style.setProperty("--columns", across.values.length);
    const place = (element, column, row) => {
      element.style.gridArea = `${row} / ${column}`;
      sheet.append(element);
    };
    const caption = (name, text) => {
      const element = document.createElement("span");
      element.textContent = withUnit(text, this.#attributes.get(name));
      element.setAttribute("aria-hidden", true); // the buttons say it
      return element;
    };
    image.alt = "";
    image.style.gridArea = `2 / 2 / ${2 + rows.length} / ${2 + across.values.length}`;
    sheet.append(image);
    across.values.forEach((value, i) => place(caption(across.name, value), 2 + i, 1));
    rows.forEach((below, j) => {
      if (below !== null) place(caption(down.name, below), 1, 2 + j);
      across.values.forEach((value, i) => {
        const cell = document.createElement("button");
        const asked = [[across.name, value], ...(below === null ? [] : [[down.name, below]])];
        Object.assign(cell, { type: "button", value: JSON.stringify(asked) });
        const words = asked.map(([name, text]) => {
          const one = this.#attributes.get(name);
          return `${one.title.toLowerCase()} ${withUnit(text, one)}`;
        });
        const near = reached[j * across.values.length + i] === "no" ? ", not reached" : "";
        cell.setAttribute("aria-label", `Show ${words.join(", ")}${near}`);
        place(cell, 2 + i, 2 + j);
      });
    });
  }
}

// "age=9,17; smile=0.1,0.5" as a list of { name, values }.
function valuesOf(header) {
  return header.split("; ").map((part) => {
    const [name, values] = part.split("=");
    return { name, values: values.split(",") };
  });
}
