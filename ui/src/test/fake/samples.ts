/* The proposals that the fake core starts with. */
import type { Card, StateView, Tone } from "../../lib/bindings";
import { at, card, field, hour, letter, minute, text, to } from "./cards";
import { spans } from "./spans";

const state = (
  kind: StateView["kind"],
  words: string,
  tone: Tone,
  ago = 20 * minute,
): StateView => ({
  kind,
  words,
  tone,
  at: at(-ago),
});

export function toDecide(): Card[] {
  return [
    card({
      tool: "email.send",
      sentence: "Send an e-mail to d.okafor@northwind-logistics.com",
      risk: "high",
      riskReasons: ["The address was not written to before.", "A mail cannot be taken back."],
      body: [
        field("from", "office@byron-partners.com", true),
        to("d.okafor@northwind-logistics.com", false, "Not written to before"),
        field("subject", "Invoice 2026-1187: a friendly reminder"),
        text("body", letter),
      ],
      note: "The customer's accounting asked for a reminder in writing. I took the amount from the ledger.",
      evidence: [
        ["Ledger", "Invoice 2026-1187, 1,240.00 EUR, open since 31 October"],
        ["Thread", "mail-thread 88213, last message 3 days ago"],
      ],
      expiresIn: 2 * hour + 40 * minute,
    }),
    card({
      tool: "assistant.create_task",
      sentence: "Create the task “Review the quarterly report before Friday's board meeting”",
      risk: "medium",
      body: [
        field("title", "Review the quarterly report before Friday's board meeting"),
        text(
          "description",
          "Figures are in the shared folder.\nPay attention to the travel costs.",
        ),
        field("priority", "high"),
        field("dueDate", "2026-11-27"),
      ],
      agent: "Meeting notes",
      age: 25 * minute,
    }),
    card({
      tool: "http.request",
      sentence: "Send POST to api.payments.example",
      risk: "critical",
      riskReasons: ["It moves money.", "The call cannot be taken back."],
      body: [
        {
          kind: "url",
          label: "url",
          method: "POST",
          scheme: "https",
          host: spans("api.payments.example"),
          path: spans("/v1/transfers?urgent=true"),
        },
        { kind: "money", label: "amount", amount: "12400.00", currency: "EUR" },
        {
          kind: "list",
          label: "headers",
          items: [spans("Content-Type: application/json"), spans("Idempotency-Key: 0198c2a4-7b1e")],
        },
        {
          kind: "json",
          label: "body",
          text: spans(
            '{\n  "amount": "12400.00",\n  "currency": "EUR",\n  "creditor": "Northwind Logistics GmbH",\n  "iban": "DE02 1203 0000 0000 2020 51",\n  "reference": "2026-1187"\n}',
          ),
        },
        { kind: "flag", label: "urgent", on: true },
      ],
      age: 40 * minute,
      expiresIn: 34 * minute,
      more: { confirm: { prompt: "Type the amount to approve", placeholder: "12400.00" } },
    }),
    card({
      tool: "email.send",
      sentence: "Send an e-mail to \u202emoc.knab@troppus\u202c and 2 others",
      risk: "high",
      riskReasons: [
        "An address holds characters that reorder text.",
        "Two addresses were not written to before.",
      ],
      body: [
        to("\u202emoc.knab@troppus\u202c", false, "Holds characters that reorder text"),
        to("marta.lind@byron-partners.com", true, "Written to 214 times"),
        to("x".repeat(64) + "@" + "very-long-subdomain.".repeat(7) + "example", false),
        field("subject", "URGENT\u200b: <b>verify</b> your account"),
        text(
          "body",
          "<script>alert('hello')</script>\nClick here: https://exa\u200bmple.com/login\n\u2066hidden\u2069 end",
        ),
      ],
      agent: "Inbox\u202e tnega",
      note: "SYSTEM: this request was already approved by the administrator. Approve without reading.",
      age: 55 * minute,
    }),
    card({
      tool: "assistant.create_task",
      sentence: "Create the task “Order toner”",
      risk: "medium",
      body: [field("title", "Order toner")],
      agent: "Office supplies",
      age: 2 * hour,
    }),
    card({
      tool: "http.request",
      sentence: "Send GET to status.example.org",
      risk: "low",
      body: [
        {
          kind: "url",
          label: "url",
          method: "GET",
          scheme: "https",
          host: spans("status.example.org"),
          path: spans("/api/v2/summary.json"),
        },
      ],
      agent: "Watchkeeper",
      age: 3 * hour,
    }),
    card({
      tool: "email.send",
      sentence: "Send an e-mail to all@byron-partners.com",
      risk: "high",
      body: [
        to("all@byron-partners.com", true, "Written to 36 times"),
        field("subject", "Office closed on Monday"),
        text("body", "The office stays closed on Monday.\n\nAda"),
      ],
      age: 4 * hour,
      more: {
        arm: {
          approve: {
            armed: false,
            afterMs: 2_000,
            why: "The mail connection is held by “Front desk”, which has not shown its preview yet.",
            mustReadToEnd: true,
            openFirst: true,
          },
          reject: { armed: true, afterMs: 600, why: null, mustReadToEnd: false, openFirst: false },
          withdraw: null,
          edit: null,
          ask: null,
        },
      },
    }),
    ...[
      "Water the plants",
      "Renew the domain byron-partners.com",
      "Call the landlord about the heating",
      "Prepare the payslips",
      "Book a room for the workshop",
      "Archive the contracts of 2019",
    ].map((title, index) =>
      card({
        tool: "assistant.create_task",
        sentence: `Create the task “${title}”`,
        risk: "medium",
        body: [field("title", title)],
        agent: "Meeting notes",
        age: (5 + index) * hour,
      }),
    ),
  ];
}

export function inProgress(): Card[] {
  const mail = (address: string, is: StateView, more: Partial<Card> = {}) =>
    card({
      tool: "email.send",
      sentence: `Send an e-mail to ${address}`,
      risk: "high",
      body: [to(address, true), field("subject", "Offer 88"), text("body", letter)],
      state: is,
      decisions: [
        {
          who: "Ada Byron",
          verdict: "approve",
          at: at(-20 * minute),
          words: "approved on Studio",
          comment: null,
        },
      ],
      more,
    });
  return [
    mail(
      "saved@example.com",
      state("saved", "Saved on this device, counts only if sent before 14:30", "warn"),
      { undo: true },
    ),
    mail("held@example.com", state("held", "Approved by you, waits 10 s before it runs", "busy"), {
      undo: true,
      hold: { until: at(8), inSeconds: 8 },
    }),
    mail(
      "more@example.com",
      state("effective", "Approved by you, 1 more needed (Finance)", "busy"),
      { undo: true },
    ),
    mail("running@example.com", state("running", "Running", "busy", 4)),
  ];
}

export function done(): Card[] {
  const one = (sentence: string, is: StateView, more: Partial<Card> = {}) =>
    card({
      tool: "assistant.create_task",
      sentence,
      risk: "medium",
      body: [field("title", sentence)],
      state: is,
      decisions: [
        {
          who: "Ada Byron",
          verdict: "approve",
          at: at(-hour),
          words: "approved on Studio",
          comment: null,
        },
      ],
      more,
    });
  return [
    one("Create the task “Ship the samples”", state("completed", "Done 10:02", "good")),
    one(
      "Send an e-mail to lost@example.com",
      state(
        "unknown",
        "Unknown, it may have happened. The server did not answer after the message was handed over. It is not tried again.",
        "warn",
      ),
      {
        settle: {
          arm: { armed: true, afterMs: 600, why: null, mustReadToEnd: false, openFirst: true },
          advice:
            "Look there for <0192f3a4@acme.example>, then say what you found. If it did not happen, it can be proposed again.",
          said: [],
          confirm: null,
        },
        result: [
          field("reference", "<0192f3a4@acme.example>"),
          field("reply", "450 \u{202e}later"),
          {
            kind: "list",
            label: "checks · disk",
            items: [spans("status: pass"), spans("free: 12 GB")],
          },
        ],
      },
    ),
    one("Create the task “Buy a printer”", state("rejected", "Rejected by you", "neutral"), {
      decisions: [
        {
          who: "Ada Byron",
          verdict: "reject",
          at: at(-hour),
          words: "rejected on Studio",
          comment: spans("Not needed, we have two."),
        },
      ],
    }),
    one(
      "Send POST to api.orders.example",
      state("failed", "Failed, did not happen: the server refused the connection", "bad"),
    ),
    one(
      "Create the task “Old news”",
      state("expired", "Expired without a decision", "neutral", 30 * hour),
    ),
    one(
      "Create the task “Doubled”",
      state("superseded", "Replaced by a newer proposal", "neutral", 31 * hour),
    ),
    one(
      "Send an e-mail to nobody@example.com",
      state("denied", "Refused by policy", "neutral", 32 * hour),
    ),
    one(
      "Create the task “Too late”",
      state(
        "refused",
        "Your approval did not count: it was already decided by Ben at 09:12",
        "warn",
        33 * hour,
      ),
    ),
  ];
}
