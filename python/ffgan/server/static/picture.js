// SPDX-License-Identifier: GPL-3.0-or-later
// Requests to the server, and pictures that are decoded before anyone sees them.

import { faceQuery } from "./view.js";

const MAX_WAITS = { busy: 5, loading: 60 };
const WAITING = {
  busy: "The server is busy, one moment …",
  loading: "The model is being loaded, one moment …",
};

// What went wrong, in words for people.
export class Problem extends Error {}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

// The response to a GET; waits and asks again while the server has no time, telling `waiting` so.
// Throws Problem, or the signal's AbortError.
export async function request(url, { signal, priority, waiting } = {}) {
  for (let waits = 0; ; waits += 1) {
    let response;
    try {
      // Asks the server whether a cached face is still right: not once the model has changed.
      response = await fetch(url, { cache: "no-cache", signal, priority });
    } catch (error) {
      signal?.throwIfAborted();
      throw new Problem("The server does not answer. Is it still running?", { cause: error });
    }
    if (response.ok) return response;
    const { reason, message } = await response.json().catch(() => ({}));
    if (response.status !== 503 || waits >= (MAX_WAITS[reason] ?? 0)) {
      throw new Problem(`The server says: ${message ?? response.status}`);
    }
    waiting?.(WAITING[reason]);
    await pause(Number(response.headers.get("Retry-After") ?? 1), signal);
  }
}

// The picture at a URL as an element that is ready to paint, and the answer's headers.
export async function picture(url, options = {}) {
  const response = await request(url, options);
  const image = new Image();
  image.draggable = false;
  image.src = URL.createObjectURL(await response.blob());
  try {
    await image.decode();
    options.signal?.throwIfAborted();
  } catch (error) {
    release(image);
    options.signal?.throwIfAborted();
    throw new Problem("The server sent something that is not a picture.", { cause: error });
  }
  return { image, headers: response.headers };
}

// Gives a picture's memory back.
export const release = (image) => URL.revokeObjectURL(image.src);

// Puts the face of `seed` small into `place`, which stays empty where there is none to be had.
export async function thumbnail(place, seed, truncation) {
  const query = faceQuery({ seeds: [seed], truncation, moves: new Map() });
  try {
    const { image } = await picture(`face.jpg?${query}`, { priority: "low" });
    image.alt = "";
    if (place.isConnected) place.append(image);
    else release(image);
  } catch (error) {
    place.title = error.message;
  }
}
