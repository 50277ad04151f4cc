// Keyboard shortcuts: views add theirs while they are shown.

import { useEffect, useRef } from "preact/hooks";

export type Keys = Record<string, (event: KeyboardEvent) => void>;

const layers: { current: Keys }[] = [];

/** Spells a key: `?`, `Shift+ArrowLeft`, `g l` is not one (see `chord`). */
function spell(event: KeyboardEvent): string {
  const named = event.key.length > 1 && event.shiftKey ? `Shift+${event.key}` : event.key;
  return named === " " ? "Space" : named;
}

function isTyping(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) {
    return !["checkbox", "radio", "button", "range"].includes(target.type);
  }
  return target.isContentEditable || ["TEXTAREA", "SELECT"].includes(target.tagName);
}

/** Keys that the element with the focus wants for itself. */
function isTaken(event: KeyboardEvent, key: string): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  const onControl = target.closest("button, a, summary, input, [role=menuitem]") !== null;
  if (key === "Space" || key === "Enter") return onControl;
  const moves = key.startsWith("Arrow") || ["Home", "End", "PageUp", "PageDown"].includes(key);
  return moves && target.closest("input, [role=grid], [role=tablist], [role=menu]") !== null;
}

let chordBegan = "";
let chordTimer = 0;

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event) || document.querySelector("dialog[open]")) return;
  const key = spell(event);
  if (isTaken(event, key)) return;
  const spelled = chordBegan ? `${chordBegan} ${key}` : key;
  clearTimeout(chordTimer);
  chordBegan = "";
  for (const layer of [...layers].reverse()) {
    const act = layer.current[spelled] ?? layer.current[key];
    if (act) {
      event.preventDefault();
      act(event);
      return;
    }
  }
  if (key === "g") {
    chordBegan = "g";
    chordTimer = window.setTimeout(() => {
      chordBegan = "";
    }, 1200);
  }
});

export function useKeys(keys: Keys): void {
  const layer = useRef(keys);
  layer.current = keys;
  useEffect(() => {
    layers.push(layer);
    return () => {
      layers.splice(layers.indexOf(layer), 1);
    };
  }, []);
}
