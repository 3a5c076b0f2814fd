/** Typed client of the service. URLs are relative, so the service may run under any path. */

export interface Angles {
  turn: number;
  nod: number;
  tilt: number;
}

/** Fields of a face in both a photo and the live channel; image px, pixel centres at integers. */
export interface Pose {
  box: number[];
  score: number;
  turn_nod_tilt_deg: Angles;
  rotation: number[][];
  landmarks68: number[][];
  visibility68: boolean[];
  blendshapes: Record<string, number> | null;
  /** Estimates of the quality head, if the model has one. */
  quality?: number | null;
  landmark_occlusion?: number[] | null;
}

export interface FaceFile {
  name: string;
  type: string;
  data: string;
}

export interface Face extends Pose {
  files: Record<string, FaceFile>;
}

export interface Answer {
  image: { width: number; height: number };
  model: { name: string; head: string };
  milliseconds: number;
  faces: Face[];
}

export interface Sample {
  name: string;
  url: string;
}

/** An error reported by the service, or a failure to reach it. */
export class ServiceError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Kept in memory only, until the page is closed. */
let apiKey: string | null = null;

export function setApiKey(key: string): void {
  apiKey = key;
}

export function currentApiKey(): string | null {
  return apiKey;
}

export async function align(photo: Blob, parts: readonly string[]): Promise<Answer> {
  const form = new FormData();
  form.set("image", photo, "photo");
  form.set("parts", parts.join(","));
  form.set("refine", "true");
  const response = await ask("v1/align", { method: "POST", body: form });
  return (await response.json()) as Answer;
}

export async function meanHead(): Promise<ArrayBuffer> {
  return (await ask("v1/head", {})).arrayBuffer();
}

export async function samples(): Promise<Sample[]> {
  const response = await ask("v1/samples", {});
  return ((await response.json()) as { samples: Sample[] }).samples;
}

/** Bytes of a file in an answer. */
export function bytesOf(file: FaceFile): Uint8Array<ArrayBuffer> {
  const text = atob(file.data);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  return bytes;
}

async function ask(url: string, options: RequestInit): Promise<Response> {
  const headers = new Headers();
  if (apiKey !== null) headers.set("X-API-Key", apiKey);
  let response: Response;
  try {
    response = await fetch(url, { ...options, headers });
  } catch {
    throw new ServiceError("offline", "The service is not responding: is it still running?");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function problemOf(response: Response): Promise<ServiceError> {
  try {
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    return new ServiceError(error.code, error.message);
  } catch {
    return new ServiceError("unknown", `The service returned status ${response.status}.`);
  }
}
