// An OpenID Connect provider for tests: node provider.mjs PORT CONFIG, where CONFIG is a JSON file with
// the settings of `oidc-provider` and, under `accounts`, the claims of each person.
import { readFileSync } from "node:fs";
import Provider from "oidc-provider";

const [port, file] = process.argv.slice(2);
const { accounts, ...settings } = JSON.parse(readFileSync(file, "utf-8"));
const provider = new Provider(`http://127.0.0.1:${port}`, {
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
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
