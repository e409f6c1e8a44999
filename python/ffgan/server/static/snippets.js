// SPDX-License-Identifier: GPL-3.0-or-later
// Code that produces the face on the screen.

import { faceQuery, written } from "./view.js";

const shell = (url) => `curl -o face.png '${url}'`;

const http = (url) => `from urllib.request import urlretrieve

urlretrieve(
    "${url}",
    "face.png",
)`;

// Text as Python has it: a number, or a string of anything else.
const literal = (text) => (Number.isNaN(Number(text)) ? JSON.stringify(text) : String(Number(text)));

function library({ seeds, at, truncation, moves, asked, changes }, precision) {
  const load = precision === null ? "ffgan.load()" : `ffgan.load(precision="${precision}")`;
  const scale = truncation === 1 ? "" : `, truncation=${written(truncation)}`;
  if (asked.size + changes.size && seeds.length === 1 && moves.size === 0) {
    const values = [...asked].map(([name, text]) => `"${name}": ${literal(text)}`);
    const by = [...changes].map(([name, amount]) => `"${name}": ${Number(amount)}`);
    const both = [`{${values.join(", ")}}`, ...(by.length ? [`{${by.join(", ")}}`] : [])];
    return `import ffgan
from ffgan import control, images

model = ${load}
wanted = control.Constraints.of(${both.join(", ")})
(face,) = control.moved(model, [(model.face(${seeds[0]}${scale}), wanted)])
images.save("face.png", face.image)`;
  }
  if (seeds.length === 1 && moves.size === 0) {
    return `import ffgan
from ffgan import images

model = ${load}
face = model.face(${seeds[0]}${scale})
images.save("face.png", face.image)`;
  }
  const latent =
    seeds.length === 1
      ? `latent = model.face(${seeds[0]}${scale}).latent`
      : `seeds = ${seeds.join(", ")}
latents = np.stack([model.face(seed${scale}).latent for seed in seeds])
latent = path(latents, ${written(at)})`;
  const moved = [...moves].map(
    ([index, by]) => `\nlatent = latent + ${written(by)} * model.directions()[${index}].vector`,
  );
  const blends = seeds.length > 1;
  return `${blends ? "import numpy as np\n\n" : ""}import ffgan
from ffgan import images
${blends ? "from ffgan.latent import path\n" : ""}
model = ${load}
${latent}${moved.join("")}
images.save("face.png", model.render(latent[None])[0])`;
}

// Pairs of a language and its code. A precision is told where it is not float32.
export function snippets(view, precision) {
  const url = new URL(`face.png?${faceQuery(view)}`, document.baseURI).href;
  const blocks = [
    ["curl", shell(url)],
    ["Python", http(url)],
  ];
  // What is asked of the ends of a blend, or of what is moved afterwards, takes many more lines.
  const asks = view.asked.size + view.changes.size > 0;
  if (!asks || (view.moves.size === 0 && view.seeds.length === 1)) blocks.push(["Python with ffgan and this model", library(view, precision)]);
  return blocks;
}
