const MAX = 63;

/** The server's rule: `[a-z0-9](-?[a-z0-9])*`, at most 63. */
export function isSlug(value: string): boolean {
  return value.length <= MAX && /^[a-z0-9](-?[a-z0-9])*$/.test(value);
}

/** A slug to suggest for a name: "Fraud Détection (EU)" → "fraud-detection-eu". */
export function suggestSlug(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/ß/g, "ss")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, MAX)
    .replace(/-+$/, "");
}

export function slugProblem(value: string): string | null {
  if (value === "") return "Give it a short name for addresses.";
  if (value.length > MAX) return `At most ${MAX} letters.`;
  return isSlug(value) ? null : "Small letters a–z, digits and single hyphens between them.";
}
