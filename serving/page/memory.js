// The visitor's choices, from one visit to the next, where the browser allows that.

/** What was kept under a name, or null. */
export function recall(name) {
  try {
    return localStorage.getItem(`mien.${name}`);
  } catch {
    return null; // storage is switched off
  }
}

/** Keeps a value under a name. */
export function keep(name, value) {
  try {
    localStorage.setItem(`mien.${name}`, value);
  } catch {
    // It holds for this visit only.
  }
}
