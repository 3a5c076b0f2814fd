/** The parts of onnxruntime-web that are used; any of its builds can be passed, for instance `onnxruntime-web/webgpu`. */

import type * as ort from "onnxruntime-web";

export type Runtime = Pick<typeof ort, "InferenceSession" | "Tensor">;

/** Where a file comes from: its address or its content. */
export type Source = string | URL | ArrayBuffer | Uint8Array;

/** Fetch a file. */
export async function loaded(source: Source): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  const answer = await fetch(source);
  if (!answer.ok) throw new Error(`cannot load ${source} (status ${answer.status}): check the address`);
  return new Uint8Array(await answer.arrayBuffer());
}
