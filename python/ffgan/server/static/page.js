// SPDX-License-Identifier: GPL-3.0-or-later
// The page: connects its parts. The URL holds the view, so that a link shows the same face and the
// Back button undoes.

import { Blend } from "./blend.js";
import { Gallery } from "./gallery.js";
import { Picks } from "./picks.js";
import { Portrait } from "./portrait.js";
import { signed, Sliders } from "./sliders.js";
import { snippets } from "./snippets.js";
import { faceQuery, pageQuery, randomSeed, read, written } from "./view.js";

const ANIMATION_FRAMES = 48;
const COPIED_MILLISECONDS = 1600;

const element = (id) => document.getElementById(id);
const studio = element("studio");

// The requested view; the portrait reports when it is shown.
let view = read(location.search);
// The control that made the newest history entry: its further changes replace that entry.
let lastControl = null;
// The gallery waits for the first large face, which comes first.
let begun = false;

// --- What is on the screen

const portrait = new Portrait(element("frame"), {
  shown(shown, headers) {
    say(element("status"), "");
    describe(shown, headers);
    if (!begun) {
      begun = true;
      gallery.set(view);
    }
  },
  waiting: (words) => say(element("status"), words),
  failed: (words) => say(element("status"), words, element("retry")),
  busy: (busy) => studio.setAttribute("aria-busy", busy),
});

function say(place, words, retry = null) {
  place.textContent = words;
  place.parentElement.querySelector("button").hidden = retry === null;
}

function describe(shown, headers) {
  const { seeds } = shown;
  const title = seeds.length === 1 ? `Face ${seeds[0]}` : `Between ${seeds.join(", ")}`;
  element("title").textContent = title;
  document.title = `ffgan: ${title.toLowerCase()}`;
  const score = headers.get("X-FFGAN-Score");
  element("score").textContent = score === null ? "–" : signed(Number(score), 2);
  const tries = headers.get("X-FFGAN-Tries");
  element("drawn").hidden = tries === null || seeds.length > 1;
  element("tries").textContent = tries;
  const query = faceQuery(shown);
  const name = `ffgan-${seeds.join("-")}`;
  for (const link of document.querySelectorAll("[data-format]")) {
    link.href = `face.${link.dataset.format}?${query}`;
    link.download = `${name}.${link.dataset.format}`;
  }
  element("animations").hidden = seeds.length === 1;
  for (const link of document.querySelectorAll("[data-animation]")) {
    const way = `seeds=${seeds.join(",")}&truncation=${written(shown.truncation)}`;
    link.href = `interpolation.${link.dataset.animation}?${way}&frames=${ANIMATION_FRAMES}`;
    link.download = `${name}.${link.dataset.animation}`;
  }
  writeSnippets(shown);
  showPicks();
}

function writeSnippets(shown) {
  const blocks = snippets(shown).map(([language, text]) => {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const name = document.createElement("span");
    name.textContent = language;
    const copy = document.createElement("button");
    Object.assign(copy, { type: "button", className: "link", textContent: "Copy" });
    copy.setAttribute("aria-label", `Copy the ${language} code`);
    copy.addEventListener("click", () => copyText(text, copy));
    caption.append(name, copy);
    const code = document.createElement("pre");
    code.textContent = text;
    code.tabIndex = 0;
    figure.append(caption, code);
    return figure;
  });
  element("snippets").replaceChildren(...blocks);
}

// --- Changes

// Makes `next` the view. `control` names the slider that was moved, if one was.
function go(next, { control = null, dragging = false, fade = false } = {}) {
  view = { ...view, ...next };
  if (!dragging) {
    const record = control !== null && control === lastControl ? "replaceState" : "pushState";
    history[record](null, "", `?${pageQuery(view)}`);
    lastControl = control;
  }
  follow({ dragging, fade });
}

function follow(options) {
  sliders.set(view);
  blend.set(view);
  if (!options.dragging) {
    picks.set(view);
    if (begun) gallery.set(view);
  }
  element("reset").hidden = view.truncation === 1 && view.moves.size === 0;
  portrait.show(view, options);
}

function showFace(seed) {
  go({ seeds: [seed], at: 0, moves: new Map() }, { fade: true });
}

function regenerate() {
  // Pressing faster than faces arrive would fill the history with faces that were never shown.
  if (!portrait.busy) showFace(randomSeed());
}

function toStudio() {
  studio.scrollIntoView({ block: "start" });
}

const sliders = new Sliders(element("truncation"), element("directions"), (what, value, dragging) => {
  if (what === "truncation") {
    go({ truncation: value }, { control: what, dragging });
    return;
  }
  const moves = new Map(view.moves);
  if (value === 0) moves.delete(what);
  else moves.set(what, value);
  go({ moves }, { control: what, dragging });
});

const blend = new Blend(element("blend"), (at, dragging) => go({ at }, { control: "at", dragging }));

const gallery = new Gallery(
  { wall: element("gallery"), end: element("gallery-end"), onward: element("onward") },
  {
    show(seed) {
      showFace(seed);
      toStudio();
    },
    pick: (seed) => picks.toggle(seed),
    onward(seed) {
      go({ gallery: seed });
      element("more").scrollIntoView({ block: "start" });
    },
    failed: (words) => say(element("gallery-status"), words, element("gallery-retry")),
    recovered: () => say(element("gallery-status"), ""),
  },
);

const picks = new Picks(
  {
    tray: element("tray"),
    list: element("picks"),
    advice: element("advice"),
    start: element("start-blend"),
    clear: element("clear"),
  },
  {
    changed: showPicks,
    blend(seeds) {
      go({ seeds, at: (seeds.length - 1) / 2, moves: new Map() }, { fade: true });
      picks.clear();
      toStudio();
      element("at").focus({ preventScroll: true });
    },
  },
);

function showPicks() {
  gallery.mark(picks.seeds);
  const single = view.seeds.length === 1;
  const picked = single && picks.has(view.seeds[0]);
  element("pick").hidden = !single;
  element("pick").setAttribute("aria-pressed", picked);
  element("pick").textContent = picked ? "Picked" : "Pick";
}

// --- Buttons, keys, history

element("regenerate").addEventListener("click", regenerate);
element("frame").addEventListener("click", regenerate);
element("pick").addEventListener("click", () => picks.toggle(view.seeds[0]));
element("retry").addEventListener("click", () => portrait.show(view));
element("gallery-retry").addEventListener("click", () => gallery.retry());
element("shuffle").addEventListener("click", () => go({ gallery: randomSeed() }));
element("reset").addEventListener("click", () => go({ truncation: 1, moves: new Map() }));
element("sliders").addEventListener("submit", (event) => event.preventDefault());
element("copy").addEventListener("click", () => copyText(location.href, element("copy")));

document.addEventListener("keydown", (event) => {
  if (event.key !== " " || event.ctrlKey || event.altKey || event.metaKey) return;
  // These elements handle the space bar themselves.
  if (event.target.closest("button, summary")) return;
  event.preventDefault();
  if (!event.repeat) regenerate();
});

addEventListener("popstate", () => {
  lastControl = null;
  view = read(location.search);
  follow({ fade: true });
});

async function copyText(text, button) {
  button.dataset.label ??= button.textContent;
  try {
    await writeClipboard(text);
  } catch {
    say(element("status"), "The browser does not allow the page to copy.");
    return;
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = button.dataset.label), COPIED_MILLISECONDS);
}

async function writeClipboard(text) {
  // Browsers give the clipboard only to pages from this computer or over HTTPS.
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "off-screen";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (!copied) throw new Error("not copied");
}

// --- Begin

studio.hidden = false;
element("more").hidden = false;
history.replaceState(null, "", `?${pageQuery(view)}`);
follow({});
sliders.load().catch((error) => (element("directions").textContent = error.message));
