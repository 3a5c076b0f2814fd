/** Doing things that may go wrong: what went wrong is told in words, a missing API key is asked for. */

import { ServiceError, setApiKey } from "./api";
import { say } from "./announce";
import { element } from "./dom";

/**
 * Do something, once more if a key was missing and is given.
 *
 * @returns what went wrong, or null.
 */
export async function attempt(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof ServiceError && error.code === "no_key") {
      if (await askForKey()) return attempt(work);
      return tell("Without its key the service does nothing.");
    }
    return tell(error instanceof ServiceError ? error.message : "This did not work in this browser.");
  }
}

function tell(words: string): string {
  say(words, "warn");
  return words;
}

/** Sent to the document when a key was given: what could not be had before may be had now. */
export const KEY_GIVEN = "keygiven";

let asking: Promise<boolean> | null = null;

/** Ask for the API key; several that miss it ask once. */
export function askForKey(): Promise<boolean> {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

async function ask(): Promise<boolean> {
  const dialog = element<HTMLDialogElement>("key-dialog");
  const input = element<HTMLInputElement>("key-input");
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  const given = dialog.returnValue === "ok";
  if (given) {
    setApiKey(input.value);
    document.dispatchEvent(new Event(KEY_GIVEN));
  }
  input.value = "";
  return given;
}
