/** A stub at the edge of the network: what the server would answer, by method and path. */
export interface Call {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Headers;
  body: unknown;
}

type Answer = (call: Call) => Response | Promise<Response>;

export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
}

export function page(items: unknown[], next_cursor: string | null = null): Response {
  return json({ items, next_cursor });
}

export function problem(status: number, detail: string, more: object = {}): Response {
  const body = { type: "x", title: "Refused", status, detail, code: "x", request_id: "req-1", ...more };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "Content-Type": "application/problem+json" },
  });
}

export const ANA = {
  user: { id: "u1", username: "ana", display_name: "Ana", is_instance_admin: true },
  kind: "user",
};

/** Keys are `METHOD /path`; whatever is not there is a 404. Returns the calls as they came. */
export function stubFetch(answers: Record<string, Answer>): Call[] {
  const calls: Call[] = [];
  const all: Record<string, Answer> = { "GET /api/v1/session": () => json(ANA), ...answers };
  vi.stubGlobal("fetch", async (request: Request) => {
    const url = new URL(request.url);
    const text = await request.clone().text();
    const call: Call = {
      method: request.method,
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: text === "" ? undefined : JSON.parse(text),
    };
    calls.push(call);
    const answer = all[`${call.method} ${call.path}`];
    return answer ? answer(call) : problem(404, `The stub has no ${call.method} ${call.path}.`);
  });
  return calls;
}

export const P = "/api/v1/organizations/acme/projects/churn";

export const PROJECT = {
  id: "p1",
  slug: "churn",
  name: "Customer churn",
  description: "",
  organization: "acme",
  allow_local_deployments: true,
  mlflow_uri: "http://localhost:5000/mlflow/acme/churn",
  role: "admin",
  created_at: "2026-01-05T10:00:00Z",
  archived_at: null,
};
