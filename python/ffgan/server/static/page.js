// SPDX-License-Identifier: GPL-3.0-or-later
// One face at a time. The page's URL holds the seed, so that a link shows the same face.

const MAX_SEED = 2n ** 64n - 1n;
const MAX_WAITS = 5;

const element = (id) => document.getElementById(id);
const studio = element("studio");
const face = element("face");
const status = element("status");

let shown = null;
// Counts the faces asked for: the Back button can ask for one while another is on its way.
let asked = 0;
let settled = 0;

// Below 2^32, as the program's own random seeds: short enough to read out to someone.
const randomSeed = () => String(crypto.getRandomValues(new Uint32Array(1))[0]);

// A string throughout: a number would lose the low digits of seeds above 2^53.
function seedOfUrl() {
  const seed = new URLSearchParams(location.search).get("seed");
  return seed !== null && /^\d{1,20}$/.test(seed) && BigInt(seed) <= MAX_SEED
    ? String(BigInt(seed))
    : null;
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

async function request(url) {
  for (let waits = 0; ; waits += 1) {
    // Asks the server whether a cached face is still right: it is not once the model has changed.
    const response = await fetch(url, { cache: "no-cache" });
    if (response.ok) return response;
    if (response.status !== 503 || waits === MAX_WAITS) {
      const problem = await response.json().catch(() => null);
      throw new Error(problem?.message ?? `the server answered ${response.status}`);
    }
    status.textContent = "The server is busy, one moment …";
    await pause(Number(response.headers.get("Retry-After") ?? 1));
  }
}

async function show(seed) {
  asked += 1;
  const turn = asked;
  studio.setAttribute("aria-busy", "true");
  try {
    const url = `face.png?seed=${seed}`;
    const response = await request(url);
    const file = await response.blob();
    const image = new Image();
    image.src = url;
    await image.decode();
    if (turn !== asked) return;
    face.src = url;
    face.alt = `A generated face, seed ${seed}`;
    shown = seed;
    const score = Number(response.headers.get("X-FFGAN-Score"));
    element("seed").textContent = seed;
    element("score").textContent = `${score < 0 ? "−" : "+"}${Math.abs(score).toFixed(2)}`;
    element("tries").textContent = response.headers.get("X-FFGAN-Tries");
    const download = element("download");
    download.href = url;
    download.download = `ffgan-${seed}.png`;
    download.title = `PNG, ${Math.ceil(file.size / 1024)} KB`;
    document.title = `ffgan: face ${seed}`;
    status.textContent = "";
  } catch (error) {
    if (turn !== asked) return;
    const gone = error instanceof TypeError;
    status.textContent = gone ? "The server does not answer. Is it still running?" : error.message;
  } finally {
    if (turn === asked) {
      settled = turn;
      studio.removeAttribute("aria-busy");
    }
  }
}

async function regenerate() {
  if (settled !== asked) return;
  const seed = randomSeed();
  await show(seed);
  if (shown === seed) history.pushState(null, "", `?seed=${seed}`);
}

element("regenerate").addEventListener("click", regenerate);
element("frame").addEventListener("click", regenerate);

document.addEventListener("keydown", (event) => {
  if (event.key !== " " || event.ctrlKey || event.altKey || event.metaKey) return;
  // A focused button answers the space bar by itself.
  if (event.target instanceof HTMLButtonElement) return;
  event.preventDefault();
  if (!event.repeat) regenerate();
});

addEventListener("popstate", () => {
  const seed = seedOfUrl();
  if (seed !== null) show(seed);
});

studio.hidden = false;
const first = seedOfUrl() ?? randomSeed();
history.replaceState(null, "", `?seed=${first}`);
show(first);
