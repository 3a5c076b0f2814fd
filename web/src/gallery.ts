/** The photos of this session: one of them is shown, with one selected face. */

import { align, bytesOf } from "./api";
import { attempt } from "./attempt";
import { say } from "./announce";
import { element, press } from "./dom";
import { Downloads, FILE_NAMES, save } from "./downloads";
import type { HeadPanel } from "./head_panel";
import type { PhotoView } from "./photo_view";
import { blank, decoded, faceButton, fileOf, nameFor, thumbButton, type Shot } from "./shot";

export class Gallery {
  private readonly shown = element("shown");
  private readonly thumbs = element("thumbs");
  private readonly faces = element("faces");
  private readonly figures = element("figures");
  private readonly downloads = new Downloads(element("downloads"), (kind) => void this.download(kind));
  private readonly shots: Shot[] = [];
  private shot: Shot | null = null;
  private face = 0;
  /** The camera is shown instead. */
  private away = false;
  /** Photos are sent one at a time, including those added while others are in progress. */
  private queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly photoView: PhotoView,
    private readonly panel: HeadPanel,
    /** A photo is chosen again: other views close. */
    private readonly entered: () => void,
  ) {}

  take(photos: readonly Blob[]): void {
    this.away = false;
    this.queue = this.queue.then(() => this.takeAll(photos));
  }

  /** Clear the view for the camera. */
  leave(): void {
    this.away = true;
    this.clear();
  }

  /** Show the last photo again, or the initial page. */
  async back(): Promise<void> {
    this.away = false;
    if (this.shot) return this.show(this.shot, this.face);
    this.clear();
    this.open(false);
    this.panel.face = "";
    this.panel.fit(null);
    await this.panel.showMean();
  }

  choose(face: number): void {
    if (this.shot) void attempt(() => this.showFace(face)).then((problem) => problem ?? this.tell());
  }

  private async takeAll(photos: readonly Blob[]): Promise<void> {
    const problems: string[] = [];
    let first = true;
    for (const [k, photo] of photos.entries()) {
      const which = photos.length > 1 ? ` in photo ${k + 1} of ${photos.length}` : "";
      say(`Finding faces${which}…`, "busy");
      const problem = await attempt(async () => this.takeOne(photo, first));
      if (problem) problems.push(problem);
      else first = false;
    }
    if (this.away) return;
    if (!problems.length) return this.tell();
    if (first) await this.back(); // none of them could be processed
    const [why] = problems;
    say(photos.length > 1 ? `${problems.length} of ${photos.length} photos: ${why}` : why!, "warn");
  }

  /** @param first whether it is the first of several; it is shown while the others are in progress. */
  private async takeOne(photo: Blob, first: boolean): Promise<void> {
    const bitmap = await decoded(photo);
    if (bitmap && first && !this.away) this.preview(bitmap);
    const answer = await align(photo, ["light"]); // textures take longest: they come later
    const shot: Shot = { photo, bitmap: bitmap ?? (await blank()), answer, asked: new Map() };
    const number = this.shots.push(shot) - 1;
    const thumb = thumbButton(shot, number, () => {
      this.entered();
      this.away = false;
      void attempt(() => this.show(shot)).then((problem) => problem ?? this.tell());
    });
    this.thumbs.append(thumb);
    this.thumbs.hidden = number === 0;
    if (first && !this.away) await this.show(shot);
  }

  /** Show the photo alone while its faces are detected. */
  private preview(bitmap: ImageBitmap): void {
    this.clear();
    this.figures.textContent = "";
    this.photoView.show(bitmap, bitmap.width, bitmap.height, [], 0);
  }

  private async show(shot: Shot, face = 0): Promise<void> {
    this.shot = shot;
    const { image, faces, model, milliseconds } = shot.answer;
    this.open(true);
    press(this.thumbs, `shot-${this.shots.indexOf(shot)}`);
    this.figures.textContent = `${image.width} × ${image.height} px · model ${model.name}`;
    this.figures.title = `Answered in ${milliseconds.toFixed(0)} ms`;
    this.faces.replaceChildren(...faces.map((_, k) => faceButton(shot, k, () => this.choose(k))));
    this.downloads.enable(faces.length > 0);
    this.photoView.show(shot.bitmap, image.width, image.height, faces, face);
    if (faces.length) await this.showFace(face);
    else await this.showNobody();
  }

  private async showNobody(): Promise<void> {
    this.panel.face = "";
    this.panel.fit(null);
    await this.panel.showMean("front");
  }

  private async showFace(index: number): Promise<void> {
    const { shot } = this;
    const one = shot?.answer.faces[index];
    if (!shot || !one) return;
    this.face = index;
    this.photoView.choose(index);
    press(this.faces, `face-${index}`);
    const file = one.files.light;
    if (file && !(await this.panel.showLight(bytesOf(file).buffer))) return;
    this.panel.setPosture("photo");
    this.panel.showPose(one.turn_nod_tilt_deg);
    this.panel.fit(one.blendshapes ?? {});
    this.panel.showQuality(one.quality ?? null);
    this.panel.face = String(index);
    void attempt(() => this.panel.wear(this.textureOf(shot, index)));
  }

  private async textureOf(shot: Shot, index: number): Promise<Blob | null> {
    const file = await fileOf(shot, index, "texture");
    return file && new Blob([bytesOf(file)], { type: file.type });
  }

  private tell(): void {
    const count = this.shot?.answer.faces.length ?? 0;
    if (!count) say("No face found. A larger or sharper photo of the face may help.", "warn");
    else say(count === 1 ? "1 face" : `${count} faces, showing ${this.face + 1}`);
  }

  private async download(kind: string): Promise<void> {
    const { shot, face } = this;
    if (!shot) return;
    await attempt(async () => {
      say(`Creating ${FILE_NAMES[kind]}…`, "busy");
      const file = await fileOf(shot, face, kind);
      if (!file) return say("The service did not create this file.", "warn");
      const name = nameFor(shot, file);
      save(file, name);
      say(`Saved ${name}`);
    });
  }

  private clear(): void {
    this.faces.replaceChildren();
    this.downloads.enable(false);
    this.open(true);
  }

  private open(on: boolean): void {
    this.shown.hidden = !on;
    document.body.classList.toggle("working", on);
  }
}
