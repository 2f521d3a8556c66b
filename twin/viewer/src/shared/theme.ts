// Light or dark: as the system says, unless this browser's user chose.
import { signal } from "@preact/signals";

export type Theme = "light" | "dark";
const KEPT = "twinfeed-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export const theme = signal<Theme>(kept() ?? (system.matches ? "dark" : "light"));

function kept(): Theme | null {
  try {
    const found = localStorage.getItem(KEPT);
    return found === "light" || found === "dark" ? found : null;
  } catch {
    return null; // storage is forbidden in some embedded pages
  }
}

function apply(): void {
  document.documentElement.dataset["theme"] = theme.value;
}

/** Switch, and remember it. */
export function switchTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEPT, theme.value);
  } catch {
    // then it lasts as long as the page
  }
}

system.addEventListener("change", () => {
  if (kept() === null) theme.value = system.matches ? "dark" : "light";
});
theme.subscribe(apply);
