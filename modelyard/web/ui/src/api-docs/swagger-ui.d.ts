declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  interface Request {
    headers: Record<string, string>;
  }
  export default function SwaggerUI(options: {
    dom_id: string;
    url: string;
    deepLinking: boolean;
    displayRequestDuration: boolean;
    docExpansion: "none" | "list" | "full";
    filter: boolean;
    syntaxHighlight: boolean;
    validatorUrl: string | null;
    requestInterceptor: (request: Request) => Request;
  }): unknown;
}
