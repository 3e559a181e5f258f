// What the page knows of each expression: which labels mean it, its colour and its little face.
// Label sets name the same expression differently: FER-2013 says "happy", FER+ "happiness".

const MOODS = {
  angry: {
    labels: ["angry", "anger"],
    colour: "#e5604d",
    lines: "M8 10l5 3M24 10l-5 3M10.5 23q5.5-4 11 0",
  },
  disgust: {
    labels: ["disgust"],
    colour: "#7fae5a",
    lines: "M8.5 14h4M19.5 14h4M9 10l4 1M23 10l-4 1M10 23q3-4 6-1t6-2",
  },
  fear: {
    labels: ["fear"],
    colour: "#a285d1",
    lines: "M8 10l4-3M24 10l-4-3M10 23q2-3 4 0t4 0t4 0",
  },
  happy: {
    labels: ["happy", "happiness"],
    colour: "#f2bd3d",
    lines: "M8.5 13.5q2-3.5 4 0M19.5 13.5q2-3.5 4 0M9 19q7 8.5 14 0",
  },
  sad: {
    labels: ["sad", "sadness"],
    colour: "#6b9fe0",
    lines: "M8 11l4.5-2.5M24 11l-4.5-2.5M10.5 24q5.5-6 11 0",
  },
  surprise: {
    labels: ["surprise"],
    colour: "#f08c4a",
    lines: "M8 9q2.5-3 5 0M19 9q2.5-3 5 0M16 18.5a3 4 0 1 0 .01 0z",
  },
  neutral: { labels: ["neutral"], colour: "#a3adb8", lines: "M11 22h10" },
  contempt: { labels: ["contempt"], colour: "#d680ab", lines: "M19 9q2.5-2 5 0M11 23q7 0 10-4" },
};
const UNSURE = { colour: "#c3c8cf", lines: "M8 11q2.5-2 5 0M11 23q2.5-2 5 0t5 0" };
const SVG = "http://www.w3.org/2000/svg";
// Lines that draw the eyes themselves need no dots.
const CLOSED = ["happy", "disgust"];

/** The expression that a model's label means, or null for one that the page does not know. */
export function moodOf(label) {
  return Object.keys(MOODS).find((mood) => MOODS[mood].labels.includes(label)) ?? null;
}

/** Names of all expressions that the page knows. */
export const moods = () => Object.keys(MOODS);

/** The colour of a label, or of not being sure (null). */
export const colourOf = (label) => (MOODS[moodOf(label)] ?? UNSURE).colour;

/** A little face, as an SVG element, of a label, or of not being sure (null). */
export function icon(label) {
  const mood = moodOf(label);
  const { colour, lines } = MOODS[mood] ?? UNSURE;
  const svg = draw("svg", { viewBox: "0 0 32 32", class: "icon", "aria-hidden": "true" });
  svg.append(draw("circle", { cx: 16, cy: 16, r: 15, fill: colour }));
  if (!CLOSED.includes(mood)) {
    const radius = mood === "fear" || mood === "surprise" ? 2.4 : 1.7;
    for (const x of [10.5, 21.5]) svg.append(draw("circle", { cx: x, cy: 14, r: radius, fill: "#1d2229" }));
  }
  const pen = { fill: "none", stroke: "#1d2229", "stroke-width": 1.8, "stroke-linecap": "round" };
  svg.append(draw("path", { d: lines, ...pen }));
  return svg;
}

function draw(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
