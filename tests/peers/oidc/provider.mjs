// A real OpenID provider (oidc-provider) on a free loopback port, with its own forms for sign-in and consent.
//
//   node provider.mjs
//
// Prints one JSON line when it listens: {"port": 3000}. Nobody has an account at first. A line on standard input makes one or
// changes it, and is answered with the same line: {"id": "ada", "email": "ada@acme.example", "verified": true, "name": "Ada"}.
// The end of standard input ends it.
//
// Clients: `countersign`, a native app without a secret; `countersign-secret`, one with the secret `a secret`; `other`, like
// the first.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

// It warns on standard output that its forms are for development, which is what they are here.
console.info = console.warn = (...words) => console.error(...words);
const { default: Provider } = await import("oidc-provider");

const accounts = new Map();
const native = {
  application_type: "native",
  grant_types: ["authorization_code"],
  redirect_uris: ["http://127.0.0.1/signed-in"],
  response_types: ["code"],
  token_endpoint_auth_method: "none",
};
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

const server = createServer((request, response) => answer(request, response));
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const { port } = server.address();
const provider = new Provider(`http://127.0.0.1:${port}`, {
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  clients: [
    { ...native, client_id: "countersign" },
    {
      ...native,
      client_id: "countersign-secret",
      client_secret: "a secret",
      token_endpoint_auth_method: "client_secret_basic",
    },
    { ...native, client_id: "other" },
  ],
  // What the person consented to goes into the ID token.
  conformIdTokenClaims: false,
  cookies: { keys: ["for this run only"] },
  findAccount: (_, id) => {
    const account = accounts.get(id);
    if (!account) return undefined;
    const { email, verified, name } = account;
    return { accountId: id, claims: () => ({ sub: id, email, email_verified: verified, name }) };
  },
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" }] },
  pkce: { required: () => true },
});
const answer = provider.callback();
console.log(JSON.stringify({ port }));

for await (const line of createInterface({ input: process.stdin })) {
  const account = JSON.parse(line);
  accounts.set(account.id, account);
  console.log(line);
}
process.exit(0);
