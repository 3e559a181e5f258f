// Asks the service, and turns whatever goes wrong into a Problem.

import { STRINGS } from "./strings.js";

let key = null; // kept nowhere: it is asked for once a visit

/** Why there is no answer: `key` of a text of the page, and the service's own sentence, if it spoke. */
export class Problem extends Error {
  constructor(key, detail = "", { status = 0, wait = null } = {}) {
    super(detail || key);
    Object.assign(this, { key, detail, status, wait });
  }
}

/** Finds and reads the faces of a picture (a Blob); options as in /openapi.json. */
export async function askFaces(picture, options = {}) {
  const headers = { "Content-Type": picture.type || "application/octet-stream" };
  return ask(`faces?${new URLSearchParams(options)}`, { method: "POST", body: picture, headers });
}

/** Which model answers, its card, and below which probability it is not sure. */
export const askModel = () => ask("model");

/** Takes the API key that the service asks for. */
export function useKey(given) {
  key = given;
}

async function ask(address, options = {}) {
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  let answer;
  try {
    answer = await fetch(address, { ...options, headers, signal: AbortSignal.timeout(60_000) });
    if (answer.ok) return await answer.json();
  } catch (error) {
    throw new Problem(error.name === "TimeoutError" ? "timeout" : "unreachable");
  }
  throw await problemOf(answer);
}

async function problemOf(answer) {
  // Something between here and the service may have answered in another format.
  const { type = "", detail = "" } = await answer.json().catch(() => ({}));
  const name = `problem.${type.replace("urn:mien:", "")}`;
  const wait = Number(answer.headers.get("Retry-After")) || null;
  return new Problem(name in STRINGS.en ? name : "problem.other", detail, { status: answer.status, wait });
}
