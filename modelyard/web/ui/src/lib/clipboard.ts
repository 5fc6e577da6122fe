/** Copies also where the page came over plain http, where browsers offer no `navigator.clipboard`. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("readonly", "");
  area.style.position = "fixed";
  area.style.opacity = "0";
  const before = document.activeElement;
  // Inside an open dialog, whose focus trap would take the focus back at once.
  (before?.parentElement ?? document.body).append(area);
  area.select();
  // Deprecated, and the only way there is without a secure context.
  const done = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}
