/* The tenant that the fake core serves: people, devices, agents, connections, tasks. */
import type { Agent, AppState, Connection, Device, People, Review, Task } from "../../lib/bindings";
import { at, hour } from "./cards";
import { spans } from "./spans";

export function house(company: boolean) {
  const day = 24 * hour;
  const state: AppState = {
    phase: { kind: "ready" },
    tenant: {
      name: company ? "Byron & Partners" : "Ada's desk",
      mode: company ? "company" : "solo",
      here: !company,
      role: "owner",
      logKey: "5f1a".repeat(16),
    },
    person: { name: "Ada Byron", email: "ada@byron-partners.com" },
    device: { name: "Studio", fingerprint: "9f3a 22c1 5e07 b84d" },
    deviceWaits: null,
    deviceRevoked: false,
    devicesToConfirm: [],
    link: { state: "online", asOf: at(0), ageSeconds: 0, waitingToSend: 0 },
    counts: { low: 0, medium: 0, high: 0, critical: 0 },
    notificationsPaused: false,
    journal: { size: 1284, verified: true, alarm: null },
    trouble: null,
    stops: [],
    stop: { allowed: true, why: null },
    log: "/home/ada/.local/share/org.countersign.desktop/log/countersign.log",
    version: "0.1.0",
  };
  const connections: Connection[] = [
    {
      id: "c1",
      name: "Company mail",
      kind: "smtp",
      holder: "this_device",
      holderName: null,
      summary: "smtp.byron-partners.com:465",
      status: "Ready, last used 10:02",
      tone: "good",
      usedBy: 2,
      mayTest: true,
      mayRemove: true,
    },
    {
      id: "c2",
      name: "Order system",
      kind: "http",
      holder: "other_device",
      holderName: "Front desk",
      summary: "https://orders.byron-partners.com/api",
      status: "Its device was last seen yesterday",
      tone: "warn",
      usedBy: 0,
      mayTest: false,
      mayRemove: true,
    },
    {
      id: "c3",
      name: "Payments",
      kind: "http",
      holder: "tenant",
      holderName: null,
      summary: "https://api.payments.example",
      status: "Refused the key at 09:40",
      tone: "bad",
      usedBy: 1,
      mayTest: false,
      mayRemove: false,
    },
  ];
  const people: People = {
    members: [
      {
        id: "m1",
        name: "Ada Byron",
        email: "ada@byron-partners.com",
        role: "owner",
        you: true,
        joinedAt: at(-90 * day),
        mayChangeRole: false,
        mayRemove: false,
      },
      ...(company
        ? [
            {
              id: "m2",
              name: "Ben Achterberg",
              email: "ben@byron-partners.com",
              role: "approver" as const,
              you: false,
              joinedAt: at(-60 * day),
              mayChangeRole: true,
              mayRemove: true,
            },
            {
              id: "m3",
              name: "Chidinma Okonkwo-Featherstonehaugh",
              email: "chidinma.okonkwo-featherstonehaugh@a-rather-long-company-domain.example",
              role: "auditor" as const,
              you: false,
              joinedAt: at(-3 * day),
              mayChangeRole: true,
              mayRemove: true,
            },
          ]
        : []),
    ],
    invites: company
      ? [{ id: "i1", email: "dora@byron-partners.com", role: "member", expiresAt: at(5 * day) }]
      : [],
    roles: ["admin", "approver", "auditor", "member"],
    invite: { allowed: true, why: null },
    notice: company
      ? null
      : "A second approver makes this a company: from then on nobody approves what they proposed themselves. It cannot be turned back.",
  };
  const devices: Device[] = [
    {
      id: "d1",
      name: "Studio",
      person: "Ada Byron",
      fingerprint: "9f3a 22c1 5e07 b84d",
      enrolledAt: at(-90 * day),
      thisDevice: true,
      note: null,
      revoked: false,
      mayRevoke: false,
      mayRotate: true,
      keyIsOld: false,
      keySince: null,
      mayReview: false,
      mine: true,
      mayEndorse: false,
    },
    {
      id: "d2",
      name: "Front desk",
      person: "Ben Achterberg",
      fingerprint: "41d7 0be2 9c66 1fa8",
      enrolledAt: at(-60 * day),
      thisDevice: false,
      note: null,
      revoked: false,
      mayRevoke: true,
      mayRotate: false,
      keyIsOld: false,
      keySince: null,
      mayReview: false,
      mine: false,
      mayEndorse: false,
    },
    {
      id: "d3",
      name: "Old laptop",
      person: "Ada Byron",
      fingerprint: "c0de 77a1 03b9 e2f4",
      enrolledAt: at(-400 * day),
      thisDevice: false,
      note: "Revoked 6 May",
      revoked: true,
      mayRevoke: false,
      mayRotate: false,
      keyIsOld: false,
      keySince: null,
      mayReview: true,
      mine: true,
      mayEndorse: false,
    },
    ...(company
      ? [
          {
            id: "d4",
            name: "Travel laptop",
            person: "Ben Achterberg",
            fingerprint: "5e02 1b9d c7f4 60aa",
            enrolledAt: at(-hour),
            thisDevice: false,
            note: "Waits to be confirmed",
            revoked: false,
            mayRevoke: true,
            mayRotate: false,
            keyIsOld: false,
            keySince: null,
            mayReview: false,
            mine: false,
            mayEndorse: true,
          },
          {
            id: "d5",
            name: "Telephone",
            person: "Ada Byron",
            fingerprint: "08c4 e3d1 5f7a 9b26",
            enrolledAt: at(-60),
            thisDevice: false,
            note: "Waits to be confirmed",
            revoked: false,
            mayRevoke: true,
            mayRotate: false,
            keyIsOld: false,
            keySince: null,
            mayReview: false,
            mine: true,
            mayEndorse: true,
          },
        ]
      : []),
  ];
  const agents: Agent[] = [
    {
      id: "a1",
      name: "Invoice agent",
      createdAt: at(-30 * day),
      revoked: false,
      mayRevoke: true,
    },
    {
      id: "a2",
      name: "Meeting notes",
      createdAt: at(-12 * day),
      revoked: false,
      mayRevoke: true,
    },
    {
      id: "a3",
      name: "Trial",
      createdAt: at(-50 * day),
      revoked: true,
      mayRevoke: false,
    },
  ];
  const tasks: Task[] = [
    {
      id: "t1",
      title: spans("Ship the samples"),
      description: spans("Two boxes to Northwind, the blue ones."),
      priority: "high",
      dueDate: "2026-11-27",
      createdAt: at(-hour),
      proposalId: "p1",
    },
    {
      id: "t2",
      title: spans("Call the landlord about the \u202egnitaeh"),
      description: null,
      priority: "normal",
      dueDate: null,
      createdAt: at(-26 * hour),
      proposalId: "p2",
    },
    {
      id: "t3",
      title: spans("Renew the domain"),
      description: null,
      priority: "low",
      dueDate: "2027-01-04",
      createdAt: at(-50 * hour),
      proposalId: "p3",
    },
  ];
  const review: Review = {
    compromisedSince: at(-2 * day),
    decisions: [
      {
        id: "p9",
        sentence: spans("Send the May invoice to Acme"),
        at: at(-day),
        state: { kind: "completed", words: "Done 11 May", at: at(-day), tone: "good" },
      },
    ],
  };
  return { state, connections, people, devices, review, agents, tasks };
}
