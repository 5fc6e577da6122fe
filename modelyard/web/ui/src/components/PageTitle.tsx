/** React moves it to the head; the most particular part comes first. */
export function PageTitle({ parts }: { parts: readonly string[] }) {
  return <title>{[...parts, "Modelyard"].join(" · ")}</title>;
}
