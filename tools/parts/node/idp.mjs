// A certified OpenID provider (npm oidc-provider) for the demo and the tests: discovery, a key set, and access tokens
// as JWT for clients by client_credentials.
//
//   node idp.mjs PORT KEYS.json        run where the Node packages are (target/parts/node)
//
// KEYS.json is a private JWK set. One client per user, any secret-less caller may be any of them: this is a test part.
// The token request may also carry what the token shall be: `alg`, `ttl` in seconds, `audience`, and `claims`, a JSON
// object laid over the payload.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [port, keysFile] = process.argv.slice(2);
const require = createRequire(`${process.cwd()}/`);
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));

const issuer = `http://127.0.0.1:${port}`;
const wish = (ctx, name) => ctx.oidc.body?.[name];

const users = {
  alice: { groups: ["rag-users", "engineering"], email: "alice@corp.example" },
  bob: { groups: ["marketing"], email: "bob@corp.example" },
  ci: { groups: ["rag-users", "ci"] },
};

const provider = new Provider(issuer, {
  jwks: JSON.parse(readFileSync(keysFile, "utf8")),
  clients: Object.keys(users).map((id) => ({
    client_id: id,
    client_secret: `${id}-secret`,
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
  })),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "urn:rag",
      getResourceServerInfo: (ctx) => ({
        scope: "",
        audience: wish(ctx, "audience") ?? "rag",
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: wish(ctx, "alg") ?? "RS256" } },
      }),
    },
  },
  ttl: { ClientCredentials: (ctx) => Number(wish(ctx, "ttl") ?? 600) },
  formats: {
    customizers: {
      jwt: (ctx, token, jwt) => {
        Object.assign(jwt.payload, users[token.clientId], JSON.parse(wish(ctx, "claims") ?? "{}"));
      },
    },
  },
});

provider.on("server_error", (_ctx, error) => console.error(error));
const server = provider.listen(Number(port), "127.0.0.1", () => console.log(`${issuer} is ready`));
process.on("SIGTERM", () => {
  server.closeAllConnections();
  server.close(() => process.exit(0));
});
