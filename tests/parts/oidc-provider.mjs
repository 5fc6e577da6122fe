// A real OpenID Connect provider on a free port of 127.0.0.1, which it prints. Usage:
//   node oidc-provider.mjs FOLDER_OF_THE_MODULE PEOPLE.json REDIRECT_URI
// PEOPLE.json maps logins to claims and is read anew at every sign-in. Passwords are not looked at.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [module, people, redirectUri] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(join(module, "lib", "index.js")).href);
const client = { redirect_uris: [redirectUri], grant_types: ["authorization_code"], response_types: ["code"] };
const server = createServer();

server.listen(0, "127.0.0.1", () => {
  const provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
    clients: [
      { ...client, client_id: "modelyard", client_secret: "client secret of the tests" },
      { ...client, client_id: "public", token_endpoint_auth_method: "none" },
      {
        ...client,
        client_id: "shared-key",
        client_secret: "a client secret that is long enough to sign with",
        id_token_signed_response_alg: "HS256",
      },
    ],
    claims: {
      openid: ["sub"],
      profile: ["name", "preferred_username"],
      email: ["email"],
      groups: ["groups"],
    },
    cookies: { keys: ["a key of the tests"] },
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "HS256"] },
    pkce: { required: () => true },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...JSON.parse(readFileSync(people, "utf8"))[id] }),
    }),
  });
  server.on("request", provider.callback());
  console.log(server.address().port);
});
process.stdin.on("end", () => process.exit(0)).resume(); // ends with whoever started it
