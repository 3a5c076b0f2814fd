/** The studio: photos and camera pictures in; the chosen face as landmarks, head, pose, expression and files. */

import { meanHead } from "./api";
import { attempt } from "./attempt";
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

element("key").append(...GROUPS.map(({ name, colour }) => keyEntry(name, colour)));
listenForPhotos(take);
// Samples come second: a key that is missing has been asked for by then.
void attempt(start).then(() => showSamples(take));

async function start(): Promise<void> {
  await panel.know(await meanHead());
  if (!taken && !live.on) await panel.showMean(); // nobody was quicker
}

function take(photos: readonly Blob[]): void {
  if (!photos.length) return;
  taken = true;
  live.stop();
  gallery.take(photos);
}

/** An entry of the key: what a colour of the landmarks stands for. */
function keyEntry(name: string, colour: string): HTMLLIElement {
  const entry = document.createElement("li");
  const dot = document.createElement("span");
  dot.style.background = colour;
  entry.append(dot, name);
  return entry;
}
