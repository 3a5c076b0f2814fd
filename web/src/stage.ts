/** The 3D view of a head: it is rotated by mouse, touch and keys, and drawn in every display mode. */

import * as THREE from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { Head } from "./head";
import { codes, type Look } from "./looks";

export type Posture = "photo" | "front" | "spin";

type Rotation = readonly (readonly number[])[];

const DISTANCE = 7; // of the camera, in radii of the head
const STEP = 0.12; // radians per key press
const SPIN = 0.5; // radians per second

export class Stage {
  private readonly renderer: THREE.WebGLRenderer;
  private readonly scene = new THREE.Scene();
  private readonly camera = new THREE.PerspectiveCamera(18, 1, 0.05, 20);
  private readonly controls: OrbitControls;
  private readonly veil = new THREE.MeshBasicMaterial({
    colorWrite: false,
    polygonOffset: true,
    polygonOffsetFactor: 1,
  });
  private head: Head | null = null;
  private codes: ReadonlyMap<string, THREE.BufferAttribute> = new Map();
  private look: Look = "texture";
  private posture: Posture = "front";
  private turned: Rotation | null = null;
  private due = false;
  private lastFrame = 0;

  /** @throws if there is no WebGL. */
  constructor(private readonly holder: HTMLElement) {
    this.renderer = new THREE.WebGLRenderer({ antialias: true, alpha: true });
    this.renderer.setPixelRatio(Math.min(devicePixelRatio || 1, 2));
    const canvas = this.renderer.domElement;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "The head in 3D. Arrow keys turn it, plus and minus zoom.");
    holder.append(canvas);
    const key = new THREE.DirectionalLight(0xffffff, 1.7);
    key.position.set(0.6, 0.8, 1.5);
    this.camera.add(key); // lights the visible side
    this.scene.add(this.camera, new THREE.HemisphereLight(0xffffff, 0x777788, 1.5));
    this.controls = new OrbitControls(this.camera, canvas);
    Object.assign(this.controls, { enablePan: false, minDistance: 0.3, maxDistance: 3, rotateSpeed: 0.8 });
    canvas.style.touchAction = "pan-y"; // horizontal swipes rotate, vertical ones scroll the page
    this.controls.addEventListener("change", () => this.draw());
    canvas.addEventListener("webglcontextrestored", () => this.draw());
    canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.resize()).observe(holder);
  }

  /** Set the mean head, which defines the PNCC colours. */
  know(mean: Head): void {
    this.codes = codes(mean.positions);
    this.head?.look(this.look, this.codes);
    this.draw();
  }

  /** @returns the head shown before. */
  show(head: Head): Head | null {
    const before = this.head;
    if (before) this.scene.remove(before.pivot);
    this.head = head;
    head.look(this.look, this.codes);
    this.scene.add(head.pivot);
    if (this.turned) this.turn(this.turned);
    this.draw();
    return before;
  }

  setLook(look: Look): void {
    this.look = look;
    this.holder.dataset.view = look;
    this.head?.look(look, this.codes);
    this.draw();
  }

  /** Show a changed texture. */
  repaint(): void {
    this.head?.look(this.look, this.codes);
    this.draw();
  }

  /** Pose the head and reset the camera to the front. */
  setPosture(posture: Posture): void {
    this.posture = posture;
    this.turned = null;
    this.place();
  }

  set weights(weights: Record<string, number>) {
    if (this.head) this.head.weights = weights;
    this.draw();
  }

  /** Rotate the head; `rotation` maps head axes to camera axes, by rows. */
  turn(rotation: Rotation): void {
    this.turned = rotation;
    const [a, b, c] = rotation as [number[], number[], number[]];
    const matrix = new THREE.Matrix4().set(
      ...(a as [number, number, number]), 0,
      ...(b as [number, number, number]), 0,
      ...(c as [number, number, number]), 0,
      0, 0, 0, 1,
    ); // prettier-ignore
    if (this.posture === "photo") this.head?.pivot.quaternion.setFromRotationMatrix(matrix);
    this.draw();
  }

  private place(): void {
    if (!this.head) return;
    if (this.posture === "photo") this.head.pivot.quaternion.copy(this.head.photoPose);
    else this.head.pivot.quaternion.identity();
    this.camera.position.set(0, 0, DISTANCE * this.head.radius);
    this.controls.target.set(0, 0, 0);
    this.controls.update();
    this.resize();
  }

  private resize(): void {
    const { clientWidth, clientHeight } = this.holder;
    if (!clientWidth || !clientHeight) return;
    this.camera.aspect = clientWidth / clientHeight;
    // Fit the whole head into a narrow view, too.
    this.camera.fov = this.camera.aspect < 0.8 ? (18 * 0.8) / this.camera.aspect : 18;
    this.renderer.setSize(clientWidth, clientHeight);
    this.draw();
  }

  private key(event: KeyboardEvent): void {
    const turns: Record<string, [number, number]> = {
      ArrowLeft: [0, -STEP],
      ArrowRight: [0, STEP],
      ArrowUp: [-STEP, 0],
      ArrowDown: [STEP, 0],
    };
    const turn = turns[event.key];
    if (turn && this.head) {
      this.head.pivot.rotateOnWorldAxis(new THREE.Vector3(1, 0, 0), turn[0]);
      this.head.pivot.rotateOnWorldAxis(new THREE.Vector3(0, 1, 0), turn[1]);
    } else if (event.key === "+" || event.key === "=") this.camera.position.multiplyScalar(0.9);
    else if (event.key === "-") this.camera.position.multiplyScalar(1.1);
    else return;
    event.preventDefault();
    this.draw();
  }

  /** Schedule one redraw, however often this is called. */
  private draw(): void {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame((time) => this.frame(time));
  }

  private frame(time: number): void {
    this.due = false;
    if (!this.head) return;
    if (this.posture === "spin" && !document.hidden) {
      this.head.pivot.rotation.y += SPIN * Math.min((time - this.lastFrame) / 1000, 0.1);
      this.draw();
    }
    this.lastFrame = time;
    this.camera.updateProjectionMatrix();
    if (this.look === "depth") this.tighten();
    this.renderer.autoClear = true;
    if (this.look === "wireframe") {
      // Hidden lines are removed: the surface is drawn into the depth buffer first, without colour.
      this.scene.overrideMaterial = this.veil;
      this.renderer.render(this.scene, this.camera);
      this.scene.overrideMaterial = null;
      this.renderer.autoClear = false;
    }
    this.renderer.render(this.scene, this.camera);
    [this.camera.near, this.camera.far] = [0.05, 20];
  }

  /** Map the depth range of the visible half of the head from white to black. */
  private tighten(): void {
    if (!this.head) return;
    this.scene.updateMatrixWorld();
    const { near, far } = this.head.range(this.camera);
    const deep = far - near;
    this.camera.near = Math.max(near - 0.03 * deep, 0.01);
    this.camera.far = near + 0.72 * deep;
    this.camera.updateProjectionMatrix();
  }
}
