/** The status line of the page; screen readers announce it. */

import { element } from "./dom";

export type Kind = "" | "busy" | "warn";

export function say(text: string, kind: Kind = ""): void {
  const line = element("status");
  line.className = kind;
  document.body.classList.toggle("busy", kind === "busy");
  if (line.textContent !== text) line.textContent = text; // the same text is not announced twice
}
