// The picture or the camera, with a box around each face.

import { labelText, percent, text } from "./language.js";
import { colourOf } from "./moods.js";

/** Shows one of an <img> and a <video>, and boxes over it. */
export class Stage {
  constructor(root) {
    this.root = root;
    this.image = root.querySelector("img");
    this.video = root.querySelector("video");
    this.frame = root.querySelector(".frame");
    this.boxes = root.querySelector(".boxes");
    this.mirrored = false;
    this.image.addEventListener("load", () => {
      this.#shape(this.image.naturalWidth, this.image.naturalHeight);
    });
    this.video.addEventListener("resize", () => {
      this.#shape(this.video.videoWidth, this.video.videoHeight);
    });
  }

  /** Shows a picture (a Blob). */
  async showPicture(blob) {
    URL.revokeObjectURL(this.image.src);
    this.#show("picture");
    this.image.src = URL.createObjectURL(blob);
    await this.image.decode().catch(() => {}); // the service may read what a browser cannot
  }

  /** Shows the camera, as a mirror if it looks at whoever sits before it. */
  showCamera(mirrored) {
    this.#show("camera");
    this.mirrored = mirrored;
    this.video.classList.toggle("mirrored", mirrored);
  }

  /** Shows neither. */
  empty() {
    this.#show("empty");
  }

  /** Draws a box around each face of an answer about a picture of that size. */
  draw(faces, width, height) {
    this.#shape(width, height);
    this.boxes.replaceChildren(...faces.map((face, index) => this.#box(face, index, width, height)));
  }

  #shape(width, height) {
    this.frame.style.aspectRatio = `${width} / ${height}`;
    this.frame.style.setProperty("--ratio", width / height);
  }

  #show(what) {
    this.root.dataset.shows = what;
    this.mirrored = false;
    this.boxes.replaceChildren();
  }

  #box(face, index, width, height) {
    const { box, certain, label } = face;
    const element = document.createElement("div");
    const left = this.mirrored ? width - box.left - box.width : box.left;
    element.className = certain === false ? "box unsure" : "box";
    element.style.left = `${(100 * left) / width}%`;
    element.style.top = `${(100 * box.top) / height}%`;
    element.style.width = `${(100 * box.width) / width}%`;
    element.style.height = `${(100 * box.height) / height}%`;
    element.style.setProperty("--mood", colourOf(certain === false ? null : label));
    if (box.top < height / 10) element.classList.add("low"); // no room for the words above it
    const words = document.createElement("p");
    const name = document.createElement("span"); // left out where boxes are too small for it
    name.textContent = ` · ${nameOf(face)}`;
    words.append(String(face.track ?? index + 1), name);
    element.append(words);
    return element;
  }
}

/** What is said of a face: its label with how sure, or that the model is not sure. */
export function nameOf({ certain, label, probabilities }) {
  return certain === false ? text("unsure") : `${labelText(label)} ${percent(probabilities[label])}`;
}
