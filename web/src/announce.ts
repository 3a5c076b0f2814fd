/** The one line in which the page says what happens; screen readers read it out. */

import { element } from "./dom";

export type Kind = "" | "busy" | "warn";

export function say(text: string, kind: Kind = ""): void {
  const line = element("status");
  line.className = kind;
  document.body.classList.toggle("busy", kind === "busy");
  if (line.textContent !== text) line.textContent = text; // the same words are not read out twice
}
