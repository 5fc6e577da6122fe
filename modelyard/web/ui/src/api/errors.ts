import { type FieldErrors, readFieldErrors } from "../lib/problem";

/** The server's RFC 9457 answer, as far as the screen shows it. */
export interface Problem {
  title: string;
  status: number;
  detail: string;
  code: string;
  hint: string | null;
  requestId: string | null;
  fields: FieldErrors;
  /** How long to wait before it is worth another try, where the server says so. */
  retryAfterSeconds?: number;
}

/** The one error that the pages see: every failed call, answered or not, ends as an ApiError. */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "ApiError";
    this.problem = problem;
  }

  get status(): number {
    return this.problem.status;
  }
}

/** Status 0: no answer came at all. */
export function unreachable(): ApiError {
  return new ApiError({
    title: "The server does not answer",
    status: 0,
    detail: "No answer came from the server.",
    code: "unreachable",
    hint: "Check that `modelyard serve` is running and that this machine reaches it. The page keeps trying.",
    requestId: null,
    fields: {},
  });
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** Reads problem+json, MLflow's error shape, or whatever a proxy in between has answered. */
export async function errorFrom(response: Response): Promise<ApiError> {
  let body: Record<string, unknown> = {};
  try {
    const parsed: unknown = await response.clone().json();
    if (parsed !== null && typeof parsed === "object") body = parsed as Record<string, unknown>;
  } catch {
    // Not JSON: a proxy's own page. The status line is all there is.
  }
  const title =
    text(body.title) ?? text(body.error_code) ?? (response.statusText || `Error ${response.status}`);
  return new ApiError({
    title,
    status: response.status,
    detail: text(body.detail) ?? text(body.message) ?? `The server answered ${response.status} ${title}.`,
    code: text(body.code) ?? text(body.error_code) ?? String(response.status),
    hint: text(body.hint),
    requestId: text(body.request_id) ?? response.headers.get("X-Request-ID"),
    fields: readFieldErrors(body.errors),
    retryAfterSeconds: secondsOf(response.headers.get("Retry-After")),
  });
}

/** Retry-After may be a date, too; only our own server is asked, which sends seconds. */
function secondsOf(header: string | null): number | undefined {
  return header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
}

export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError({
    title: "Something went wrong on this page",
    status: -1,
    detail: error instanceof Error ? error.message : String(error),
    code: "page_error",
    hint: "Reload the page. If it comes again, report it with the text above.",
    requestId: null,
    fields: {},
  });
}
