// A certified OpenID provider (npm oidc-provider) at which people log in: any name goes, with any password. What groups
// somebody has is told beforehand. It stands among the parts of the end-to-end tests: tools/parts/install.py node.

import { createRequire } from "node:module";
import { once } from "node:events";

const PARTS = new URL("../../../../target/parts/node/", import.meta.url).pathname;

/** For a client `console` of these redirect addresses; `groups` by name. */
export async function startProvider(redirects, groups, port) {
  const { default: Provider } = await import(createRequire(PARTS).resolve("oidc-provider"));
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: "console", token_endpoint_auth_method: "none", redirect_uris: redirects }],
    claims: { openid: ["sub", "groups"], profile: ["name"] },
    // Groups stand in the ID token, as the collector asks for.
    conformIdTokenClaims: false,
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, name: id, groups: groups[id] ?? [] }) }),
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
  });
  const server = provider.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    issuer,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
