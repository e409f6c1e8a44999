// SPDX-License-Identifier: GPL-3.0-or-later
// Requests to the server, and images that are decoded before they are shown.

import { faceQuery } from "./view.js";

const MAX_WAITS = { busy: 5, loading: 60 };
const WAITING = {
  busy: "The server is busy, one moment …",
  loading: "The model is being loaded, one moment …",
};

// An error with a message for the user.
export class Problem extends Error {}

export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

// The response to a GET; retries while the server is busy, and calls `waiting` then.
// Throws Problem, or the signal's AbortError.
export async function request(url, { signal, priority, waiting } = {}) {
  for (let waits = 0; ; waits += 1) {
    let response;
    try {
      // Revalidates a cached face: it is stale once the model has changed.
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

// The image at a URL as an element that is ready to paint, and the response's headers.
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
    throw new Problem("The server sent something that is not an image.", { cause: error });
  }
  return { image, headers: response.headers };
}

// Releases an image's memory.
export const release = (image) => URL.revokeObjectURL(image.src);

// Puts the small face of `seed` into `place`, which stays empty if it cannot be loaded.
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
