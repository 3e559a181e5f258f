// The assistant: answers an expression in writing and, unless muted, by the browser's voice.

import { language, text } from "./language.js";
import { keep, recall } from "./memory.js";
import { icon, moodOf } from "./moods.js";

/** Lives in the elements of `[data-part]` below its root. */
export class Assistant {
  constructor(root) {
    this.face = root.querySelector("[data-part=face]");
    this.words = root.querySelector("[data-part=words]");
    this.button = root.querySelector("[data-part=voice]");
    this.note = root.querySelector("[data-part=note]");
    this.muted = recall("voice") === "off";
    this.turns = {};
    this.said = { key: "assistantHello", turn: 0, label: "happy" };
    this.button.addEventListener("click", () => this.#mute(!this.muted));
    globalThis.speechSynthesis?.addEventListener("voiceschanged", () => this.refresh());
    document.addEventListener("language", () => this.refresh());
  }

  /** Answers a label of the model; null is not being sure, undefined is nobody there. */
  answer(label) {
    const mood = moodOf(label);
    if (label && !mood) return;
    const key = mood ? `say.${mood}` : label === null ? "assistantUnsure" : "assistantNobody";
    const turn = this.turns[key] ?? 0;
    this.turns[key] = turn + 1;
    this.said = { key, turn, label };
    this.refresh();
    this.#speak();
  }

  /** Writes the last answer, in the language of now. */
  refresh() {
    const { key, turn, label } = this.said;
    this.words.textContent = text(key, {}, turn);
    this.face.replaceChildren(icon(label));
    // A screen reader and the voice should not talk at the same time.
    const silent = this.muted || !voice();
    this.words.setAttribute("aria-live", silent ? "polite" : "off");
    this.button.setAttribute("aria-pressed", String(!this.muted));
    this.button.lastElementChild.textContent = text(this.muted ? "voiceOff" : "voiceOn");
    this.note.textContent = this.muted || voice() ? "" : text("voiceMissing");
  }

  #mute(muted) {
    this.muted = muted;
    keep("voice", muted ? "off" : "on");
    if (muted) globalThis.speechSynthesis?.cancel();
    this.refresh();
  }

  #speak() {
    const found = voice();
    if (this.muted || !found) return;
    const utterance = new SpeechSynthesisUtterance(this.words.textContent);
    Object.assign(utterance, { voice: found, lang: found.lang });
    speechSynthesis.cancel(); // what it says now matters, not what it said before
    speechSynthesis.speak(utterance);
  }
}

/** A voice of the page's language that speaks on this device: others send the words elsewhere. */
function voice() {
  const voices = globalThis.speechSynthesis?.getVoices() ?? [];
  return voices.find(({ lang, localService }) => localService && lang.startsWith(language())) ?? null;
}
