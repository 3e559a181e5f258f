// Follows faces from frame to frame, and calms what the model says of them. Pure: time is given.

const OVERLAP = 0.3; // intersection over union of the same face in neighbouring frames

/** Intersection over union of two boxes, {left, top, width, height}. */
export function overlap(one, other) {
  const across = Math.min(one.left + one.width, other.left + other.width) - Math.max(one.left, other.left);
  const down = Math.min(one.top + one.height, other.top + other.height) - Math.max(one.top, other.top);
  const common = Math.max(across, 0) * Math.max(down, 0);
  return common / (one.width * one.height + other.width * other.height - common);
}

/**
 * Gives each face a track, and answers averages in place of single frames.
 *
 * Probabilities are averaged exponentially over `memory` seconds. A label stays until another
 * leads by `margin`, so that it does not flicker between two that are about as likely. A face may
 * be hidden for `patience` seconds. `threshold` is the model's `abstain_below`, or null.
 */
export class Tracker {
  constructor({ threshold = null, memory = 0.6, margin = 0.1, patience = 1 } = {}) {
    Object.assign(this, { threshold, memory, margin, patience });
    this.tracks = [];
    this.next = 1;
  }

  /** Takes the faces of a frame at a time in seconds; returns them smoothed, with `track`. */
  update(seconds, faces) {
    this.tracks = this.tracks.filter((track) => seconds - track.seconds <= this.patience);
    const pairs = faces.flatMap((face) =>
      this.tracks.map((track) => ({ face, track, share: overlap(face.box, track.box) })),
    );
    const given = new Map();
    for (const { face, track, share } of pairs.sort((a, b) => b.share - a.share)) {
      const free = !given.has(face) && ![...given.values()].includes(track);
      if (share >= OVERLAP && free) given.set(face, track);
    }
    return faces.map((face) => {
      const track = given.get(face) ?? this.#begin(face, seconds);
      this.#blend(track, face, seconds);
      const { number, label, probabilities } = track;
      const certain = this.threshold === null ? null : probabilities[label] >= this.threshold;
      return { ...face, track: number, label, probabilities: { ...probabilities }, certain };
    });
  }

  #begin(face, seconds) {
    const { label, probabilities, box } = face;
    const track = { number: this.next++, label, probabilities: { ...probabilities }, box, seconds };
    this.tracks.push(track);
    return track;
  }

  #blend(track, face, seconds) {
    const weight = 1 - Math.exp((track.seconds - seconds) / this.memory);
    for (const [label, share] of Object.entries(face.probabilities)) {
      track.probabilities[label] += weight * (share - track.probabilities[label]);
    }
    const leader = likeliest(track.probabilities);
    const lead = track.probabilities[leader] - track.probabilities[track.label];
    if (lead > this.margin) track.label = leader;
    track.box = face.box;
    track.seconds = seconds;
  }
}

/** The label with the highest probability. */
export function likeliest(probabilities) {
  return Object.keys(probabilities).reduce((a, b) => (probabilities[b] > probabilities[a] ? b : a));
}

/** The face to answer: that of the track answered before while it is there, else the largest. */
export function mainFace(faces, track = null) {
  return faces.find((face) => track !== null && face.track === track) ?? faces[0] ?? null;
}

/**
 * Decides when the assistant speaks, so that it answers and does not chatter.
 *
 * An expression must last for `hold` seconds; between two answers lie `cooldown` seconds; the
 * same expression is not answered again for `again` seconds.
 */
export class Gate {
  constructor({ hold = 1.5, cooldown = 8, again = 30 } = {}) {
    Object.assign(this, { hold, cooldown, again });
    this.seen = null;
    this.since = 0;
    this.spoke = -Infinity;
    this.answered = new Map();
  }

  /** Takes the expression at a time in seconds, null for none; returns the one to answer, or null. */
  hear(seconds, mood) {
    if (mood !== this.seen) {
      this.seen = mood;
      this.since = seconds;
    }
    const early =
      seconds - this.since < this.hold ||
      seconds - this.spoke < this.cooldown ||
      seconds - (this.answered.get(mood) ?? -Infinity) < this.again;
    if (mood === null || early) return null;
    this.spoke = seconds;
    this.answered.set(mood, seconds);
    return mood;
  }
}
