// An OpenID Connect provider for tests: node provider.mjs PORT CONFIG, where CONFIG is a JSON file with
// the settings of `oidc-provider` and, under `accounts`, the claims of each person. With `certificate`, a
// PEM file with its key, it speaks https as localhost.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const [port, file] = process.argv.slice(2);
const { accounts, certificate, ...settings } = JSON.parse(readFileSync(file, "utf-8"));
const issuer = certificate ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  ...settings,
  async findAccount(_, id) {
    return { accountId: id, claims: async () => ({ sub: id, ...accounts[id] }) };
  },
  // Nobody is asked whether this service may know them.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope("openid profile");
    await grant.save();
    return grant;
  },
});
const pem = certificate && readFileSync(certificate);
const server = pem ? createServer({ key: pem, cert: pem }, provider.callback()) : provider;
server.listen(Number(port), "127.0.0.1", () => console.log("listening"));
