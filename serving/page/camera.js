// The camera: its picture on the page, and a few frames a second for the service.

import { Problem } from "./service.js";

const BETWEEN = 200; // milliseconds from one frame to the next, if the service is as fast
const WIDTH = 640; // pixels of a frame that is sent
const QUALITY = 0.85; // of its JPEG

const PROBLEMS = {
  NotAllowedError: "cameraDenied",
  NotFoundError: "cameraMissing",
  OverconstrainedError: "cameraMissing",
};

/** Shows the camera in a <video>, and hands over one frame after the other, never two at a time. */
export class Camera {
  constructor(video, onFrame) {
    this.video = video;
    this.onFrame = onFrame;
    this.canvas = document.createElement("canvas");
    this.stream = null;
  }

  get running() {
    return this.stream !== null;
  }

  async start() {
    if (!navigator.mediaDevices) throw new Problem("cameraInsecure");
    const wished = { width: { ideal: WIDTH }, height: { ideal: 480 }, facingMode: "user" };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: wished, audio: false });
    } catch (error) {
      throw new Problem(PROBLEMS[error.name] ?? "cameraBusy");
    }
    this.video.srcObject = this.stream;
    await this.video.play();
    this.#loop(this.stream);
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
  }

  async #loop(stream) {
    while (this.stream === stream) {
      const started = performance.now();
      let wait = 0;
      // Nobody looks at a hidden window, so nothing is sent from it.
      if (!document.hidden) wait = await this.onFrame(await this.#frame(), this.canvas);
      await pause(Math.max(wait, BETWEEN - (performance.now() - started)));
    }
  }

  async #frame() {
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(1, WIDTH / videoWidth);
    this.canvas.width = Math.round(videoWidth * scale);
    this.canvas.height = Math.round(videoHeight * scale);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return new Promise((done) => this.canvas.toBlob(done, "image/jpeg", QUALITY));
  }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
