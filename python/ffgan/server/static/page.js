// SPDX-License-Identifier: GPL-3.0-or-later
// The page: connects its parts. The URL holds the view, so that a link shows the same face and the
// Back button undoes.

import { Attributes, measuredOf } from "./attributes.js";
import { Blend } from "./blend.js";
import { Gallery } from "./gallery.js";
import { Picks } from "./picks.js";
import { pause, request } from "./picture.js";
import { Portrait } from "./portrait.js";
import { signed, Sliders } from "./sliders.js";
import { snippets } from "./snippets.js";
import { Vary } from "./vary.js";
import { asks, faceQuery, pageQuery, randomSeed, read, written } from "./view.js";

const ANIMATION_FRAMES = 48;
const COPIED_MILLISECONDS = 1600;
const REST_SECONDS = 0.2;

const element = (id) => document.getElementById(id);
const studio = element("studio");

// What faces can be asked for; nothing where the server cannot measure it. Only a link that asks for
// something has to wait for it.
const listed = request("attributes").then((response) => response.json());
let names = asks(location.search)
  ? await listed.then(({ attributes }) => attributes.map(({ name }) => name), () => [])
  : [];
let attributes = null;
let vary = null;
// The requested view; the portrait reports when it is shown.
let view = read(location.search, names);
// What the face on the screen has of each attribute, by name; and the request for it.
let measured = new Map();
let measuredSeeds = "";
let reached = true;
// How far its embedding is from that of the same seed's face of which nothing is asked, if known.
let distance = null;
let measuring = new AbortController();
// The control that made the newest history entry: its further changes replace that entry.
let lastControl = null;
// The gallery waits for the first large face, which comes first.
let begun = false;

// --- What is on the screen

const portrait = new Portrait(element("frame"), {
  shown(shown, headers) {
    say(element("status"), "");
    describe(shown, headers);
    measure(shown, headers);
    vary?.set(view, true);
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
  const asked = faceQuery({ ...shown, moves: new Map(), seeds: ["0"] }).slice("seed=0".length);
  for (const link of document.querySelectorAll("[data-animation]")) {
    const way = `seeds=${seeds.join(",")}${asked}&frames=${ANIMATION_FRAMES}`;
    link.href = `interpolation.${link.dataset.animation}?${way}`;
    link.download = `${name}.${link.dataset.animation}`;
  }
  writeSnippets(shown, headers.get("X-FFGAN-Precision"));
  showPicks();
}

// Shows what the face has: of what was asked its response says it, of the rest the server when asked,
// once the slider rests.
function measure(shown, headers) {
  if (attributes === null) return;
  measuring.abort();
  measuring = new AbortController();
  const same = String(shown.seeds) === measuredSeeds;
  measuredSeeds = String(shown.seeds);
  measured = new Map([...(same ? measured : []), ...measuredOf(headers)]);
  reached = headers.get("X-FFGAN-Reached") !== "no";
  distance = null;
  showMeasured();
  measureAll(`attributes?${faceQuery(shown)}`, measuring.signal);
}

async function measureAll(url, signal) {
  try {
    await pause(REST_SECONDS, signal);
    const response = await request(url, { signal, priority: "low" });
    const answer = await response.json();
    const all = answer.attributes;
    distance = answer.distance;
    measured = new Map(all.map(({ name, value }) => [name, value]));
    showMeasured();
  } catch {
    // The face is there; its sliders stay where they are.
  }
}

function showMeasured() {
  attributes.set(view, measured);
  element("reached").textContent = attributes.report(view, measured, reached, distance);
}

function writeSnippets(shown, precision) {
  const blocks = snippets(shown, precision).map(([language, text]) => {
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
  attributes?.set(view, measured);
  blend.set(view);
  if (!options.dragging) {
    vary?.set(view, false);
    picks.set(view);
    if (begun) gallery.set(view);
  }
  const asked = view.asked.size + view.changes.size;
  element("reset").hidden = view.truncation === 1 && view.moves.size === 0 && asked === 0;
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

// `text` is asked of one attribute, and nothing of the others of the same measurement.
function ask(same, name, text, dragging = false) {
  const [asked, changes] = [new Map(view.asked), new Map(view.changes)];
  for (const other of same) {
    asked.delete(other);
    changes.delete(other);
  }
  if (text !== null) asked.set(name, text);
  go({ asked, changes }, { control: name, dragging });
}

function addAttributes({ attributes: list, unavailable }) {
  element("explore").open = list.length === 0 || view.moves.size > 0 || view.truncation !== 1;
  element("reached").hidden = false;
  if (!list.length) {
    element("reached").textContent = `No attributes can be asked for here. ${unavailable}`;
    return;
  }
  names = list.map(({ name }) => name);
  attributes = new Attributes(element("attributes"), list, element("hold-icon"), ask);
  vary = new Vary(
    {
      across: element("vary-across"),
      down: element("vary-down"),
      sheet: element("sheet"),
      downloads: element("vary-downloads"),
    },
    list,
    {
      vary: (chosen) => go({ vary: chosen }),
      ask(values) {
        const same = list.filter(({ column }) =>
          list.some((one) => values.has(one.name) && one.column === column),
        );
        const [asked, changes] = [new Map(view.asked), new Map(view.changes)];
        for (const { name } of same) {
          asked.delete(name);
          changes.delete(name);
        }
        for (const [name, text] of values) asked.set(name, text);
        go({ asked, changes });
      },
      waiting: (words) => say(element("vary-status"), words),
      failed: (words) => say(element("vary-status"), words, element("vary-retry")),
      done: (words) => say(element("vary-status"), words),
    },
  );
  element("vary").hidden = false;
  attributes.set(view, measured);
  if (begun) portrait.show(view);
}

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
element("reset").addEventListener("click", () =>
  go({ truncation: 1, moves: new Map(), asked: new Map(), changes: new Map() }),
);
element("vary-retry").addEventListener("click", () => vary.retry());
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
  view = read(location.search, names);
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
listed.then(
  addAttributes,
  (error) => say(element("status"), error.message),
);
