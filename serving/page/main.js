// Wires the page together: what is pressed, dropped or seen, and what is shown for it.

import { Assistant } from "./assistant.js";
import { Camera } from "./camera.js";
import { Cards } from "./cards.js";
import { Gate, Tracker, mainFace } from "./following.js";
import { labelText, language, percent, speak, text } from "./language.js";
import { moods } from "./moods.js";
import { Problem, askFaces, askModel, useKey } from "./service.js";
import { Session, toCsv } from "./session.js";
import { Stage, nameOf } from "./stage.js";
import { STRINGS } from "./strings.js";
import { Timeline } from "./timeline.js";

const CAMERA_FACES = 20; // at most, so that a frame of a crowd does not take too long
const BETWEEN_NEWS = 3; // seconds, so that a screen reader can keep up with the camera
const EXAMPLES = ["group", ...moods().filter((mood) => mood !== "contempt")];

const find = (selector) => document.querySelector(selector);
const stage = new Stage(find("#stage"));
const cards = new Cards(find("#faces"));
const assistant = new Assistant(find("#assistant"));
const timeline = new Timeline(find("#timeline"));
const session = new Session();
const camera = new Camera(stage.video, readFrame);

let model = null;
let answer = null; // what is on the stage: {faces, width, height, source}
let problem = null;
let asked = 0; // pictures; an answer to another than the last is too late
let again = () => {}; // what to do once more when the service has its key
let picture = null; // the last one, and its name
let watch = null; // of the camera: {tracker, gate, track, news}

async function readPicture(blob, name, options = {}) {
  stopCamera();
  const mine = ++asked;
  picture = { blob, name };
  again = () => readPicture(blob, name, options);
  clear();
  await stage.showPicture(blob);
  setBusy(true);
  try {
    // A browser that is told in the middle of an upload often does not hear why.
    if (blob.size > model?.max_bytes) throw new Problem("problem.too-large");
    const found = await askFaces(blob, options);
    if (mine !== asked) return;
    session.addPicture(Date.now(), name, found.faces);
    show(found, stage.image);
    if (!stage.image.naturalWidth) setProblem(new Problem("cannotShow"));
    const main = mainFace(found.faces);
    assistant.answer(main ? labelOf(main) : undefined);
  } catch (error) {
    if (mine === asked) fail(error);
  } finally {
    if (mine === asked) setBusy(false);
  }
}

async function readFrame(blob, canvas) {
  try {
    const found = await askFaces(blob, { max_faces: CAMERA_FACES });
    if (!camera.running) return 0;
    setProblem(null);
    const now = performance.now() / 1000;
    const faces = watch.tracker.update(now, found.faces);
    const main = mainFace(faces, watch.track);
    watch.track = main?.track ?? watch.track;
    session.addFrame(Date.now(), faces, main);
    show({ ...found, faces }, canvas);
    const mood = watch.gate.hear(now, main && labelOf(main));
    if (mood) assistant.answer(mood);
    return 0;
  } catch (error) {
    fail(error);
    return 1000 * (error.wait ?? 2);
  }
}

const labelOf = ({ certain, label }) => (certain === false ? null : label);

function show(found, source) {
  answer = { ...found, source };
  render();
}

/** Shows the answer, in the language of now. */
function render() {
  timeline.draw(session.columns);
  find("#turned").hidden = !answer || answer.faces.length > 0 || camera.running;
  document.body.classList.toggle("answered", Boolean(answer?.faces.length));
  if (!answer) return;
  const { faces, width, height, source } = answer;
  stage.draw(faces, width, height);
  cards.show(faces, source, model?.abstain_below ?? null);
  announce(summary(faces));
}

function summary(faces) {
  if (!faces.length) return text(camera.running ? "noFaceCamera" : "noFace");
  const name = (face) => (camera.running ? labelText(labelOf(face)) ?? text("unsure") : nameOf(face));
  const values = { count: faces.length, list: faces.map(name).join(", ") };
  return text(faces.length === 1 ? "faceFound" : "facesFound", values);
}

function announce(words) {
  const now = performance.now() / 1000;
  if (watch && now - watch.news < BETWEEN_NEWS) return;
  if (watch) watch.news = now;
  const status = find("#status");
  if (status.textContent !== words) status.textContent = words;
}

function clear() {
  answer = null;
  cards.clear();
  setProblem(null);
  find("#status").textContent = "";
  render();
}

async function startCamera() {
  asked += 1; // what was asked about a picture does not matter any more
  setBusy(false);
  clear();
  again = startCamera;
  stage.showCamera(true);
  const threshold = model?.abstain_below ?? null;
  watch = { tracker: new Tracker({ threshold }), gate: new Gate(), track: null, news: -Infinity };
  try {
    await camera.start();
    labelCamera();
  } catch (error) {
    stopCamera();
    fail(error);
  }
}

function stopCamera() {
  watch = null;
  camera.stop();
  if (stage.root.dataset.shows === "camera") {
    stage.empty();
    clear();
  }
  labelCamera();
}

function labelCamera() {
  const button = find("#camera");
  button.dataset.text = camera.running ? "cameraStop" : "cameraStart";
  button.textContent = text(button.dataset.text);
}

function setBusy(busy) {
  stage.root.setAttribute("aria-busy", String(busy));
  find(".progress").hidden = !busy;
  if (busy) announce(text("looking"));
}

function fail(error) {
  if (!(error instanceof Problem)) throw error;
  if (error.status === 401 || error.status === 403) {
    stopCamera();
    if (!find("#key").open) find("#key").showModal();
  }
  find("#status").textContent = "";
  setProblem(error);
}

function setProblem(error) {
  problem = error;
  const box = find(".problem");
  box.hidden = !error;
  if (!error) return;
  const detail = document.createElement("span");
  detail.lang = "en"; // the service's own words
  detail.textContent = error.detail;
  box.querySelector("p").replaceChildren(text(error.key), " ", detail);
}

async function loadModel() {
  try {
    model = await askModel();
  } catch (error) {
    fail(error);
  }
  describeModel();
}

function describeModel() {
  if (!model) return;
  const { name, model_version: version, label_set: labels, abstain_below: threshold } = model;
  const key = threshold === null ? "modelFactsSure" : "modelFacts";
  find("#model").textContent = text(key, { name, version, labels, threshold: percent(threshold ?? 0) });
  find("#model-card").textContent = model.card;
}

async function readFiles(files) {
  for (const file of files) {
    if (file.type.startsWith("image/") || !file.type) await readPicture(file, file.name);
    else setProblem(new Problem("notAPicture"));
  }
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([toCsv(session.rows)], { type: "text/csv" }));
  link.download = `mien-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers read it later
}

function makeExamples() {
  for (const name of EXAMPLES) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.label = name === "group" ? "exampleGroup" : "example";
    button.dataset.mood = name;
    const image = Object.assign(new Image(), { src: `page/examples/${name}.png`, alt: "" });
    button.append(image);
    button.addEventListener("click", async () => {
      await readPicture(await (await fetch(image.src)).blob(), `${name}.png`);
    });
    const item = document.createElement("li");
    item.append(button);
    find("#examples").append(item);
  }
}

function makeLanguages() {
  for (const [name, strings] of Object.entries(STRINGS)) {
    const button = Object.assign(document.createElement("button"), { type: "button", lang: name });
    button.textContent = strings.language;
    button.addEventListener("click", () => speak(name));
    find("#languages").append(button);
  }
}

document.addEventListener("language", () => {
  for (const button of find("#languages").children) {
    button.setAttribute("aria-pressed", String(button.lang === language()));
  }
  setProblem(problem);
  describeModel();
  stage.image.alt = text("pictureOf");
  stage.video.setAttribute("aria-label", text("cameraPicture"));
  if (watch) watch.news = -Infinity;
  render();
});
find("#choose").addEventListener("click", () => find("#file").click());
find("#file").addEventListener("change", async ({ target }) => {
  const files = [...target.files];
  target.value = ""; // so that the same file can be chosen once more
  await readFiles(files);
});
find("#camera").addEventListener("click", () => (camera.running ? stopCamera() : startCamera()));
find("#turned").addEventListener("click", () => readPicture(picture.blob, picture.name, { turned: true }));
find("#save").addEventListener("click", save);
find("#clear").addEventListener("click", () => {
  session.clear();
  render();
});
find(".problem button").addEventListener("click", () => setProblem(null));
find("#key form").addEventListener("submit", async ({ target }) => {
  useKey(target.querySelector("input").value);
  setProblem(null);
  await loadModel();
  again();
});
document.addEventListener("paste", ({ clipboardData }) => readFiles([...clipboardData.files]));
for (const event of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(event, (happened) => {
    happened.preventDefault();
    stage.root.classList.toggle("awaiting", event === "dragover");
    if (event === "drop") readFiles([...happened.dataTransfer.files]);
  });
}

makeExamples();
makeLanguages();
speak();
loadModel();
