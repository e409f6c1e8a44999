// SPDX-License-Identifier: GPL-3.0-or-later
// Code that produces the face on the screen.

import { faceQuery, written } from "./view.js";

const shell = (url) => `curl -o face.png '${url}'`;

const http = (url) => `from urllib.request import urlretrieve

urlretrieve(
    "${url}",
    "face.png",
)`;

function library({ seeds, at, truncation, moves }) {
  const scale = truncation === 1 ? "" : `, truncation=${written(truncation)}`;
  if (seeds.length === 1 && moves.size === 0) {
    return `import ffgan
from ffgan import images

model = ffgan.load()
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
model = ffgan.load()
${latent}${moved.join("")}
images.save("face.png", model.render(latent[None])[0])`;
}

// Pairs of a language and its code.
export function snippets(view) {
  const url = new URL(`face.png?${faceQuery(view)}`, document.baseURI).href;
  return [
    ["curl", shell(url)],
    ["Python", http(url)],
    ["Python with ffgan and this model", library(view)],
  ];
}
