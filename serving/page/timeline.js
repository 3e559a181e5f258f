// The session as a chart: a column a second or a picture, stacked by expression.

import { labelText, language, percent, text } from "./language.js";
import { colourOf } from "./moods.js";
import { shares } from "./session.js";

const NARROW = 6; // CSS pixels from one column to the next, at least
const WIDE = 28; // and at most
const GAP = 1;
const PALE = 0.35;

/** Draws columns (see session.js) into a canvas, and a legend with shares beside it. */
export class Timeline {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.legend = root.querySelector(".legend");
    this.ends = root.querySelector(".ends");
    this.columns = [];
    new ResizeObserver(() => this.draw(this.columns)).observe(this.canvas);
  }

  draw(columns) {
    this.columns = columns;
    this.root.classList.toggle("empty", columns.length === 0);
    const shown = this.#paint(columns);
    const parts = shares(columns).map(([label, share]) => [label, name(label), percent(share)]);
    const list = parts.map(([, word, share]) => `${word} ${share}`).join(", ");
    this.canvas.setAttribute("aria-label", text("timelineChart", { list }));
    this.legend.replaceChildren(...parts.map(entry));
    [shown[0], shown.at(-1)].forEach((column, index) => {
      const time = column && new Date(column.time);
      this.ends.children[index].textContent = time ? time.toLocaleTimeString(language()) : "";
    });
  }

  #paint(columns) {
    const ratio = devicePixelRatio;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const step = Math.min(WIDE, Math.max(NARROW, width / columns.length));
    const shown = columns.slice(-Math.max(1, Math.floor(width / step)));
    this.ends.style.width = `${step * shown.length}px`;
    shown.forEach(({ probabilities, certain }, index) => {
      context.globalAlpha = certain === false ? PALE : 1;
      let base = height;
      for (const [label, share] of Object.entries(probabilities)) {
        context.fillStyle = colourOf(label);
        context.fillRect(index * step, base - share * height, step - GAP, share * height);
        base -= share * height;
      }
    });
    return shown;
  }
}

const name = (label) => (label === null ? text("unsure") : labelText(label));

function entry([label, word, share]) {
  const item = document.createElement("li");
  item.style.setProperty("--mood", colourOf(label));
  item.textContent = `${word} ${share}`;
  return item;
}
