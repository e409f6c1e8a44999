// SPDX-License-Identifier: GPL-3.0-or-later
// Code that makes the very face on the screen.

import { faceQuery } from "./view.js";

const shell = (url) => `curl -o face.png '${url}'`;

const python = (url) => `from urllib.request import urlretrieve

urlretrieve(
    "${url}",
    "face.png",
)`;

export const SNIPPETS = { curl: shell, Python: python };

export function snippets(view) {
  const url = new URL(`face.png?${faceQuery(view)}`, document.baseURI).href;
  return Object.entries(SNIPPETS).map(([language, write]) => [language, write(url)]);
}
