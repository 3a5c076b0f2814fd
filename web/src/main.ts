/** The studio page: shows faces of photos and camera frames as landmarks, head, pose, expression and files. */

import { meanHead } from "./api";
import { attempt, KEY_GIVEN } from "./attempt";
import { element } from "./dom";
import { Gallery } from "./gallery";
import { HeadPanel } from "./head_panel";
import { listenForPhotos, showSamples } from "./intake";
import { GROUPS } from "./landmarks";
import { LiveView } from "./live_view";
import { PhotoView } from "./photo_view";
import { listenForTheme } from "./theme";

listenForTheme();
const panel = new HeadPanel();
const photoView = new PhotoView(element<HTMLCanvasElement>("photo"), element("zoom"), (face) =>
  (live.on ? live : gallery).choose(face),
);
const gallery = new Gallery(photoView, panel, () => live.stop());
const live = new LiveView(photoView, panel, {
  entered: () => gallery.leave(),
  left: () => void attempt(() => gallery.back()),
  photo: (picture) => take([picture]),
});

let taken = false;
let started: "no" | "under way" | "yes" = "no";

element("key").append(...GROUPS.map(({ name, colour }) => keyEntry(name, colour)));
listenForPhotos(take);
document.addEventListener(KEY_GIVEN, () => void start());
void start();

/** Load the mean head and the samples; if the API key is missing, again once it is entered. */
async function start(): Promise<void> {
  if (started !== "no") return;
  started = "under way";
  const problem = await attempt(async () => {
    await panel.know(await meanHead());
    if (!taken && !live.on) await panel.showMean(); // unless a photo or the camera is already shown
  });
  started = problem === null ? "yes" : "no";
  if (started === "yes") await showSamples(take);
}

function take(photos: readonly Blob[]): void {
  if (!photos.length) return;
  taken = true;
  live.stop();
  gallery.take(photos);
}

/** An entry of the legend of landmark colours. */
function keyEntry(name: string, colour: string): HTMLLIElement {
  const entry = document.createElement("li");
  const dot = document.createElement("span");
  dot.style.background = colour;
  entry.append(dot, name);
  return entry;
}
