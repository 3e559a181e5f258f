// Which language the page speaks, and how its words get into the document.

import { keep, recall } from "./memory.js";
import { moodOf } from "./moods.js";
import { STRINGS } from "./strings.js";

const wished = [recall("language"), ...navigator.languages.map((tag) => tag.slice(0, 2))];
let current = wished.find((language) => language in STRINGS) ?? "en";

export const language = () => current;

/** A text by its key, with {name} filled in; of a list, the one at `turn`. */
export function text(key, values = {}, turn = 0) {
  const found = STRINGS[current][key];
  const one = Array.isArray(found) ? found[turn % found.length] : found;
  return one.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** A model's label in the page's language; one that the page does not know stays as it is. */
export function labelText(label) {
  const mood = moodOf(label);
  return mood ? text(`mood.${mood}`) : label;
}

/** 0.87 as 87%, or as the language writes it. */
export const percent = (share) =>
  new Intl.NumberFormat(current, { style: "percent", maximumFractionDigits: 0 }).format(share);

/** Puts the language's words where `data-text` and `data-label` ask for them, and tells the others. */
export function speak(chosen = current) {
  if (chosen !== current) keep("language", chosen);
  current = chosen;
  document.documentElement.lang = current;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label, { label: labelText(element.dataset.mood) }));
  }
  document.dispatchEvent(new Event("language"));
}
