import { LoadingRows } from "./states";

export function RouteLoading() {
  return (
    <div className="page">
      <LoadingRows label="the page" rows={4} />
    </div>
  );
}
