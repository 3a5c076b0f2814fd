/** Ways to add a photo: file dialog, drag and drop, paste, samples. */

import { samples } from "./api";
import { attempt } from "./attempt";
import { button, element } from "./dom";

type Take = (photos: readonly Blob[]) => void;

export function listenForPhotos(take: Take): void {
  const input = element<HTMLInputElement>("file");
  input.addEventListener("change", () => {
    take([...(input.files ?? [])]);
    input.value = ""; // so that the same photo can be chosen again
  });
  addEventListener("paste", (event) => take([...(event.clipboardData?.files ?? [])]));
  listenForDrops(take);
}

function listenForDrops(take: Take): void {
  const mark = (on: boolean): void => void document.body.classList.toggle("dragging", on);
  addEventListener("dragover", (event) => {
    event.preventDefault(); // otherwise the browser opens the file
    mark(event.dataTransfer?.types.includes("Files") ?? false);
  });
  addEventListener("dragleave", (event) => event.relatedTarget ?? mark(false)); // no target: the pointer left the window
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    take([...(event.dataTransfer?.files ?? [])]);
  });
}

/** Show the sample photos of the service, if it has any. */
export async function showSamples(take: Take): Promise<void> {
  const found = await samples().catch(() => []);
  element("samples").append(...found.map(({ name, url }) => sampleButton(name, url, take)));
}

function sampleButton(name: string, url: string, take: Take): HTMLButtonElement {
  const one = button("", `sample-${name}`, () => {
    void attempt(async () => take([await (await fetch(url)).blob()]));
  });
  const picture = new Image();
  Object.assign(picture, { src: url, alt: "" });
  const text = document.createElement("span");
  text.textContent = name;
  one.className = "sample";
  one.setAttribute("aria-label", `Sample photo: ${name}`);
  one.append(picture, text);
  return one;
}
