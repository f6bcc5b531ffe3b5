/* `npm run preview:fake`: the real window over the fake core, to look at. Never part of the production build.
   The scenario is in the address: ?scenario=offline&theme=dark */
import type { Scenario } from "./fake/core";
import { installFake } from "./fake/install";
import { error } from "./fake/core";

const scenarios: Record<string, Scenario> = {
  ready: {},
  company: { company: true },
  offline: { offline: true },
  many: { many: 100_000 },
  empty: { empty: true },
  offlineEmpty: { empty: true, offline: true },
  alarm: {
    alarm:
      "The journal that the server shows does not continue the one seen at 09:40. Both signed checkpoints are kept. Do not approve until this is settled.",
  },
  waiting: {
    company: true,
    waits: { own: ["Studio"], who: ["Ben Achterberg", "Chidinma Okonkwo"] },
  },
  waitingAlone: { company: true, waits: {} },
  firstRun: { phase: { kind: "first_run" }, empty: true },
  starting: { phase: { kind: "starting" } },
  keychain: {
    phase: { kind: "keychain", message: "The keychain has no entry of this device.", lost: 2 },
    failing: { try_again: error("keychain", "The keychain is still locked.") },
  },
  signIn: {
    phase: {
      kind: "sign_in",
      tenantUrl: "https://countersign.byron-partners.com",
      email: "ada@byron-partners.com",
    },
    company: true,
  },
  signInByProvider: {
    phase: {
      kind: "sign_in",
      tenantUrl: "https://countersign.byron-partners.com",
      email: "ada@byron-partners.com",
    },
    company: true,
    provider: "Byron ID",
  },
  fatal: {
    phase: {
      kind: "fatal",
      message:
        "The database was written by a newer version of Countersign (schema 7, this one knows 4). Install the newer version.",
    },
  },
  broken: {
    failing: {
      inbox: error("internal", "The local database could not be read. What you decided is kept."),
      card: error("internal", "The card's bytes do not match the journal."),
    },
  },
};

const asked = new URLSearchParams(location.search);
const theme = asked.get("theme") ?? "system";
const density = asked.get("density") ?? "comfortable";
localStorage.setItem("countersign.settings", JSON.stringify({ theme, density }));
const core = installFake(scenarios[asked.get("scenario") ?? "ready"]);
Object.assign(window, { core });

await import("../main");
