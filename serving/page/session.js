// What was seen in this session: rows for the CSV file, columns for the chart. Pure: time is given.

const CAMERA = "camera";

/** Keeps at most `most` rows, a face each; an hour of one face at five frames a second is 18,000. */
export class Session {
  constructor(most = 50_000) {
    this.most = most;
    this.clear();
  }

  /** Forgets everything. */
  clear() {
    this.rows = [];
    this.columns = [];
  }

  /** Adds the faces of a frame of the camera at a time, in milliseconds since 1970. */
  addFrame(time, faces, main) {
    this.#add(time, CAMERA, faces);
    if (!main) return;
    const last = this.columns.at(-1);
    const same = last?.source === CAMERA && Math.floor(last.time / 1000) === Math.floor(time / 1000);
    if (same) average(last, main);
    else this.#push(this.columns, { time, source: CAMERA, ...column(main) });
  }

  /** Adds the faces of a picture. */
  addPicture(time, name, faces) {
    this.#add(time, name, faces);
    if (faces.length) this.#push(this.columns, { time, source: name, ...column(faces[0]) });
  }

  #add(time, source, faces) {
    faces.forEach((face, index) => {
      this.#push(this.rows, { time, source, number: face.track ?? index + 1, face });
    });
  }

  #push(list, one) {
    if (list.push(one) > this.most) list.shift();
  }
}

function column({ label, certain, probabilities }) {
  return { label, certain, probabilities: { ...probabilities }, samples: 1 };
}

function average(into, { label, certain, probabilities }) {
  into.samples += 1;
  for (const key of Object.keys(into.probabilities)) {
    into.probabilities[key] += (probabilities[key] - into.probabilities[key]) / into.samples;
  }
  Object.assign(into, { label, certain });
}

/** How much of the columns each label has, not being sure as null: [[label, share], …], largest first. */
export function shares(columns) {
  const counts = new Map();
  for (const { label, certain } of columns) {
    const key = certain === false ? null : label;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => [key, count / columns.length]).sort((a, b) => b[1] - a[1]);
}

/** The session as CSV (RFC 4180), a line a face: time, source, face, label, certain, box, probabilities. */
export function toCsv(rows) {
  const classes = [...new Set(rows.flatMap(({ face }) => Object.keys(face.probabilities)))];
  const head = ["time", "source", "face", "label", "certain", "left", "top", "width", "height"];
  const lines = rows.map(({ time, source, number, face }) => [
    new Date(time).toISOString(),
    source,
    number,
    face.label,
    face.certain ?? "",
    ...["left", "top", "width", "height"].map((edge) => face.box[edge]),
    ...classes.map((name) => face.probabilities[name]?.toFixed(4) ?? ""),
  ]);
  return [[...head, ...classes], ...lines].map((line) => line.map(cell).join(",") + "\r\n").join("");
}

function cell(value) {
  let text = String(value);
  // A file's name must not become a formula in a spreadsheet.
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
