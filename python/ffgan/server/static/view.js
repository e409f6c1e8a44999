// SPDX-License-Identifier: GPL-3.0-or-later
// A view is what the page shows. The page's URL holds all of it, with the parameters of the face's
// own URL: seeds (one, or two to four to blend), at, truncation, moves, and what is asked of the
// attributes or by how much they change; and `vary`, the attributes of the strip or grid, and the
// gallery's first seed.

export const MAX_SEED = 2n ** 64n - 1n;
export const MAX_PICKS = 4;
export const MAX_MOVE = 6;
const LATENT_SIZE = 100;
const MAX_MOVES = 20;
const MAX_TRUNCATION = 2;

// Seeds are strings throughout: a number would lose the low digits of those above 2^53.
function seedOf(text) {
  return text !== null && /^\d{1,20}$/.test(text) && BigInt(text) <= MAX_SEED
    ? String(BigInt(text))
    : null;
}

function numberOf(text, low, high, otherwise) {
  const value = text === null || text.trim() === "" ? NaN : Number(text);
  return value >= low && value <= high ? value : otherwise;
}

// Below 2^32, like the program's own random seeds: short enough to read aloud.
export const randomSeed = () => String(crypto.getRandomValues(new Uint32Array(1))[0]);

export const written = (number) => String(Number(number.toFixed(2)));

const OWN = ["seed", "seeds", "at", "truncation", "move", "change", "keep", "gallery", "vary"];

// Whether a query may ask something of attributes, whose names must be known to read it.
export function asks(query) {
  const parameters = [...new URLSearchParams(query)];
  return parameters.some(([name]) => !OWN.includes(name) || name === "change" || name === "vary");
}

// The view of a URL's query; invalid or missing parameters are as on a new visit. `names` are those
// of the attributes that this server knows.
export function read(query, names) {
  const parameters = new URLSearchParams(query);
  let seeds = (parameters.get("seeds") ?? "").split(",").map(seedOf);
  if (seeds.includes(null) || seeds.length < 2 || seeds.length > MAX_PICKS) {
    seeds = [seedOf(parameters.get("seed")) ?? randomSeed()];
  }
  const moves = new Map();
  for (const move of (parameters.get("move") ?? "").split(",")) {
    const [, index, amount] = /^(\d{1,3}):(.+)$/.exec(move) ?? [];
    const value = numberOf(amount ?? null, -MAX_MOVE, MAX_MOVE, 0);
    const known = value !== 0 && Number(index) < LATENT_SIZE;
    if (known && moves.size < MAX_MOVES) moves.set(Number(index), value);
  }
  const asked = new Map();
  for (const name of names) {
    const text = parameters.get(name)?.trim();
    if (text) asked.set(name, text);
  }
  const changes = new Map();
  for (const change of (parameters.get("change") ?? "").split(",")) {
    const [, name, amount] = /^([a-z_]+):([-+0-9.eE]+)$/.exec(change) ?? [];
    if (names.includes(name) && !asked.has(name)) changes.set(name, amount);
  }
  const vary = (parameters.get("vary") ?? "").split(",").filter((name) => names.includes(name));
  return {
    seeds,
    at: numberOf(parameters.get("at"), 0, seeds.length - 1, 0),
    truncation: numberOf(parameters.get("truncation"), 0, MAX_TRUNCATION, 1),
    moves,
    asked,
    changes,
    vary: [...new Set(vary)].slice(0, 2),
    gallery: seedOf(parameters.get("gallery")) ?? "0",
  };
}

const NOTHING = new Map();

// The query of the face's own URL. Commas and colons stay readable.
export function faceQuery({ seeds, at, truncation, moves, asked = NOTHING, changes = NOTHING }) {
  const parts =
    seeds.length === 1 ? [`seed=${seeds[0]}`] : [`seeds=${seeds.join(",")}`, `at=${written(at)}`];
  if (truncation !== 1) parts.push(`truncation=${written(truncation)}`);
  const moved = [...moves].filter(([, amount]) => amount !== 0).sort(([a], [b]) => a - b);
  if (moved.length) parts.push(`move=${moved.map(([i, by]) => `${i}:${written(by)}`).join(",")}`);
  for (const [name, text] of asked) {
    parts.push(`${name}=${encodeURIComponent(text).replaceAll("%2C", ",")}`);
  }
  const changed = [...changes].map(([name, amount]) => `${name}:${amount.replace("+", "")}`);
  if (changed.length) parts.push(`change=${changed.join(",")}`);
  // What this person cannot have is not tried on another one of the same seed.
  if (asked.size + changed.length) parts.push("keep=person");
  return parts.join("&");
}

export function pageQuery(view) {
  const vary = view.vary.length ? `&vary=${view.vary.join(",")}` : "";
  return faceQuery(view) + vary + (view.gallery === "0" ? "" : `&gallery=${view.gallery}`);
}
