/** Helpers for DOM elements. */

/** The element with an id from index.html. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

export function button(text: string, testid: string, clicked: () => void): HTMLButtonElement {
  const one = document.createElement("button");
  one.type = "button";
  one.textContent = text;
  one.dataset.testid = testid;
  one.addEventListener("click", clicked);
  return one;
}

/** Mark the active button of a group. */
export function press(group: HTMLElement, testid: string): void {
  for (const one of group.querySelectorAll<HTMLElement>("button")) {
    one.setAttribute("aria-pressed", String(one.dataset.testid === testid));
  }
}

/** Part of an image as a small square canvas. */
export function square(
  picture: CanvasImageSource,
  x: number,
  y: number,
  side: number,
  px: number,
): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = px;
  canvas.getContext("2d")?.drawImage(picture, x, y, side, side, 0, 0, px, px);
  return canvas;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
