/** Light or dark theme: the system's preference until the button is pressed. */

import { element } from "./dom";

export function listenForTheme(): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const toggle = element("theme");
  const root = document.documentElement;
  const isDark = (): boolean => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const tell = (): void => toggle.setAttribute("aria-pressed", String(isDark()));
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    tell();
  });
  system.addEventListener("change", tell);
  tell();
}
