// The list of faces: for each its little portrait, its label and a bar for every expression.

import { labelText, percent, text } from "./language.js";
import { colourOf, icon } from "./moods.js";
import { nameOf } from "./stage.js";

const OPEN = 1; // cards that show their bars unasked

/** Cards in a list; one that stays is changed in place, so that its bars move and it stays open. */
export class Cards {
  constructor(list) {
    this.list = list;
    this.cards = new Map();
  }

  /** Shows faces; `source` is the <img> or <canvas> they were found in, `threshold` the model's or null. */
  show(faces, source, threshold) {
    const cards = faces.map((face, index) => {
      const key = face.track ?? index + 1;
      const card = this.cards.get(key) ?? this.#make(key, index < OPEN);
      this.#fill(card, face, key, threshold);
      portrait(card.querySelector("canvas"), face.box, source);
      return [key, card];
    });
    this.cards = new Map(cards);
    if (!same(this.list.children, cards)) this.list.replaceChildren(...this.cards.values());
  }

  /** Removes all cards. */
  clear() {
    this.cards.clear();
    this.list.replaceChildren();
  }

  #make(key, open) {
    const card = document.querySelector("#card").content.firstElementChild.cloneNode(true);
    card.dataset.key = key;
    card.querySelector("details").open = open;
    return card;
  }

  #fill(card, face, key, threshold) {
    const unsure = face.certain === false;
    card.classList.toggle("unsure", unsure);
    card.style.setProperty("--mood", colourOf(unsure ? null : face.label));
    card.querySelector(".number").textContent = text("face", { number: key });
    card.querySelector(".name").textContent = nameOf(face);
    const mood = unsure ? "" : face.label;
    const sign = card.querySelector(".sign");
    if (sign.dataset.mood !== mood) sign.replaceChildren(icon(mood || null));
    sign.dataset.mood = mood;
    const note = { threshold: percent(threshold ?? 0), label: labelText(face.label) };
    card.querySelector(".note").textContent = unsure ? text("unsureNote", note) : "";
    this.#bars(card.querySelector(".bars"), face);
  }

  #bars(list, { probabilities, label }) {
    const labels = Object.keys(probabilities);
    if (list.children.length !== labels.length) list.replaceChildren(...labels.map(makeBar));
    labels.forEach((name, index) => {
      const bar = list.children[index];
      bar.classList.toggle("top", name === label);
      bar.querySelector(".word").textContent = labelText(name);
      bar.querySelector(".share").textContent = percent(probabilities[name]);
      bar.querySelector(".fill").style.transform = `scaleX(${probabilities[name]})`;
      bar.style.setProperty("--mood", colourOf(name));
    });
  }
}

function makeBar() {
  const bar = document.createElement("li");
  for (const name of ["word", "track", "share"]) {
    const part = document.createElement("span");
    part.className = name;
    bar.append(part);
  }
  const fill = document.createElement("span");
  fill.className = "fill";
  bar.querySelector(".track").append(fill);
  return bar;
}

/** Draws the square around a face's box. */
function portrait(canvas, { left, top, width, height }, source) {
  const side = Math.max(width, height) * 1.15;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  const x = left + (width - side) / 2;
  const y = top + (height - side) / 2;
  // A picture that the browser cannot show has no pixels to take a portrait from.
  if (source instanceof HTMLImageElement && !source.naturalWidth) return;
  context.drawImage(source, x, y, side, side, 0, 0, canvas.width, canvas.height);
}

const same = (elements, cards) =>
  elements.length === cards.length && cards.every(([, card], index) => elements[index] === card);
