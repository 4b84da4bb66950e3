// Colours: told apart by people who see no red or green, and with a contrast of 3:1 to what is around them.

export const LIGHT: Record<string, string> = {
  failed: "#7a0c16", missing: "#c1121f", dirty: "#d1570a", writing: "#b8860b", incomplete: "#8d6e63", frozen: "#6b4fa0",
  stale_spec: "#a88414", planned: "#3f7fb5", purged: "#486581", archived: "#2478a0", committed: "#1f855c", not_due: "#8a94a0",
};
export const DARK: Record<string, string> = {
  failed: "#ff5c6c", missing: "#f0444f", dirty: "#ff9b54", writing: "#f5c542", incomplete: "#c8a497", frozen: "#b39ddb",
  stale_spec: "#e6cf6b", planned: "#8ec5f0", purged: "#9fb3c8", archived: "#5cb8e0", committed: "#3fbf8a", not_due: "#66707c",
};

export function isDark(): boolean {
  return document.documentElement.dataset["theme"] === "dark";
}

export function colourOf(state: string): string {
  return (isDark() ? DARK : LIGHT)[state] ?? "#888888";
}

const KEY = "influx-rollup-theme";

function wanted(): string {
  // Airflow 3 keeps its own choice under "theme", in the same storage
  const chosen = localStorage.getItem(KEY) ?? localStorage.getItem("theme");
  if (chosen === "dark" || chosen === "light") return chosen;
  return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export function applyTheme(changed: () => void): void {
  const apply = () => {
    document.documentElement.dataset["theme"] = wanted();
    changed();
  };
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  window.addEventListener("storage", apply);
  document.documentElement.dataset["theme"] = wanted();
}

export function switchTheme(changed: () => void): void {
  localStorage.setItem(KEY, isDark() ? "light" : "dark");
  document.documentElement.dataset["theme"] = wanted();
  changed();
}

export const words = (state: string): string => state.replace("_", " ");
