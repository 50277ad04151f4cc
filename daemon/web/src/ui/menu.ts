// Menus are `<details>`: they close by Escape, and when the focus leaves them.

export function closeOnEscape(event: KeyboardEvent): void {
  const details = event.currentTarget;
  if (event.key !== "Escape" || !(details instanceof HTMLDetailsElement) || !details.open) return;
  details.open = false;
  details.querySelector("summary")?.focus();
  event.stopPropagation();
}

export function closeOnLeave(event: FocusEvent): void {
  const details = event.currentTarget;
  if (!(details instanceof HTMLDetailsElement)) return;
  if (event.relatedTarget instanceof Node && details.contains(event.relatedTarget)) return;
  // Buttons that a pointer presses get no focus in some browsers: wait for their click.
  setTimeout(() => {
    details.open = false;
  }, 150);
}
