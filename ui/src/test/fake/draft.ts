/* Two forms of the seed's grammar, enough to show the live preview. */
import type { DraftView } from "../../lib/bindings";
import { field, text as textNode, to } from "./cards";
import { schedule } from "./schedule";
import { spans } from "./spans";

const examples = [
  "create task: Review the quarterly report",
  "system health",
  "draft email to: ana@example.com subject: Offer context: thank her and attach the terms",
];

export function draft(text: string, notBefore: string): DraftView {
  return { ...understood(text), problem: schedule(notBefore) };
}

function understood(text: string): Omit<DraftView, "problem"> {
  const trimmed = text.trim();
  const task = /^create task:\s*(.+)$/i.exec(trimmed);
  if (task?.[1]) {
    return {
      matched: true,
      help: null,
      examples,
      draft: {
        tool: "assistant.create_task",
        sentence: spans(`Create the task “${task[1]}”`),
        body: [field("title", task[1])],
        risk: "medium",
        decision: "requires_approval",
        reason: "Medium risk asks before it runs.",
      },
    };
  }
  const mail = /^draft email to:\s*([^\s]+)\s+subject:\s*(.+?)\s+context:\s*(.+)$/i.exec(trimmed);
  if (mail) {
    return {
      matched: true,
      help: null,
      examples,
      draft: {
        tool: "assistant.draft_email",
        sentence: spans(`Draft an e-mail to ${mail[1]}`),
        body: [
          to(mail[1] ?? "", false),
          field("subject", mail[2] ?? ""),
          textNode("context", mail[3] ?? ""),
        ],
        risk: "low",
        decision: "deny",
        reason: "The tool assistant.draft_email is not registered here.",
      },
    };
  }
  if (/^system health( details)?$/i.test(trimmed)) {
    return {
      matched: true,
      help: null,
      examples,
      draft: {
        tool: "assistant.system_health_check",
        sentence: spans("Check the system's health"),
        body: [
          { kind: "flag", label: "includeDetails", on: trimmed.toLowerCase().includes("details") },
        ],
        risk: "low",
        decision: "allow",
        reason: "Low risk runs without asking.",
      },
    };
  }
  return {
    matched: false,
    help: "This is not a form that is understood. Start with one of these:",
    examples,
    draft: null,
  };
}
