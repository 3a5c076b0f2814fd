/** Downloads of a face: common file types as buttons, the others in a menu. */

import { bytesOf, type FaceFile } from "./api";
import { button } from "./dom";

const COMMON: Record<string, string> = { ply: "PLY", obj: "OBJ", glb: "GLB", json: "JSON" };
const OTHERS: Record<string, string> = {
  mat: "MAT mesh",
  usd: "USDZ",
  texture: "Texture",
  depth: "Depth",
  pncc: "PNCC",
  normals: "Normals",
  frontal: "Frontal image",
  txt: "Landmarks (text)",
};

/** Display names of the file types. */
export const FILE_NAMES: Readonly<Record<string, string>> = { ...COMMON, ...OTHERS };

export class Downloads {
  private readonly menu = document.createElement("details");

  constructor(
    private readonly holder: HTMLElement,
    private readonly wanted: (kind: string) => void,
  ) {
    const title = document.createElement("span");
    title.className = "hint";
    title.textContent = "Save";
    holder.append(title, ...this.buttons(COMMON), this.menu);
    this.fillMenu();
    this.enable(false);
  }

  enable(on: boolean): void {
    for (const one of this.holder.querySelectorAll("button")) one.disabled = !on;
    this.menu.classList.toggle("disabled", !on);
    this.menu.querySelector("summary")?.setAttribute("aria-disabled", String(!on));
    if (!on) this.menu.open = false;
  }

  private fillMenu(): void {
    const summary = document.createElement("summary");
    summary.textContent = "More";
    summary.dataset.testid = "download-more";
    summary.setAttribute("aria-label", "More file types");
    const list = document.createElement("div");
    list.append(...this.buttons(OTHERS));
    this.menu.className = "menu";
    this.menu.append(summary, list);
    const close = (): void => void (this.menu.open = false);
    list.addEventListener("click", close);
    summary.addEventListener("click", (event) => {
      if (this.menu.classList.contains("disabled")) event.preventDefault();
    });
    this.menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      close();
      summary.focus();
    });
    addEventListener("pointerdown", (event) => {
      if (!this.menu.contains(event.target as Node)) close();
    });
  }

  private buttons(kinds: Record<string, string>): HTMLButtonElement[] {
    return Object.entries(kinds).map(([kind, text]) =>
      button(text, `download-${kind}`, () => this.wanted(kind)),
    );
  }
}

/** Save a file through the browser. */
export function save(file: FaceFile, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytesOf(file)], { type: file.type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
