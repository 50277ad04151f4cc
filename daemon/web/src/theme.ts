// Light, dark, or as the system has it.

import { remember, remembered, Store } from "./store";

export type Theme = "auto" | "light" | "dark";
const ORDER: readonly Theme[] = ["auto", "light", "dark"];

export const theme = new Store<Theme>(ORDER.find((one) => one === remembered("theme")) ?? "auto");

function apply(chosen: Theme): void {
  const root = document.documentElement;
  if (chosen === "auto") delete root.dataset["theme"];
  else root.dataset["theme"] = chosen;
}

apply(theme.value);
theme.watch((chosen) => {
  apply(chosen);
  remember("theme", chosen);
});

export function nextTheme(): void {
  theme.set(ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? "auto");
}
