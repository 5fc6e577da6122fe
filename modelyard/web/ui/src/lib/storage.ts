/** localStorage where the browser lets us; a page without it forgets, and works. */
export function readStored<T>(key: string, check: (value: unknown) => value is T): T | null {
  try {
    const text = window.localStorage.getItem(key);
    if (text === null) return null;
    const value: unknown = JSON.parse(text);
    return check(value) ? value : null;
  } catch {
    return null;
  }
}

export function writeStored(key: string, value: unknown): void {
  try {
    if (value === null) window.localStorage.removeItem(key);
    else window.localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Full or refused: the choice lasts as long as the page.
  }
}

export function isStringList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
