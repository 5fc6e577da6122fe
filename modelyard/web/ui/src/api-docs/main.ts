// The page /api/docs: our OpenAPI document, to read and to try out. An entry of its own, so that the other pages do not
// carry it; everything comes from this server.
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

import "swagger-ui-dist/swagger-ui.css";
import "./api-docs.css";

const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.classList.toggle("dark-mode", dark);

SwaggerUI({
  dom_id: "#api-docs",
  url: "/api/v1/openapi.json",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  filter: true,
  syntaxHighlight: false,
  validatorUrl: null,
  // Whoever is signed in may try out with their session: this says that our own page asks (see web/auth.py).
  requestInterceptor: (request) => {
    request.headers["X-Requested-With"] = "api-docs";
    return request;
  },
});
