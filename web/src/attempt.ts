/** Runs actions that may fail: errors are shown as text, a missing API key is requested. */

import { ServiceError, setApiKey } from "./api";
import { say } from "./announce";
import { element } from "./dom";

/**
 * Run an action; if the API key is missing, ask for it and run the action again.
 *
 * @returns the error message, or null.
 */
export async function attempt(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof ServiceError && error.code === "no_key") {
      if (await askForKey()) return attempt(work);
      return tell("The service needs an API key.");
    }
    return tell(error instanceof ServiceError ? error.message : "This action failed in this browser.");
  }
}

function tell(words: string): string {
  say(words, "warn");
  return words;
}

/** Sent to the document when a key is entered: requests that failed before may now succeed. */
export const KEY_GIVEN = "keygiven";

let asking: Promise<boolean> | null = null;

/** Ask for the API key; concurrent requests share one dialog. */
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
