/* Labels for raw values. The core is locale-free; English words live here. */
import type { Assurance, Change, PolicyDecision, Risk, Role, Span, TaskPriority } from "./bindings";

/** The one order of risk, everywhere. */
export const risks: readonly Risk[] = ["low", "medium", "high", "critical"];

export const riskWord: Record<Risk, string> = {
  low: "Low",
  medium: "Medium",
  high: "High",
  critical: "Critical",
};

export const roleWord: Record<Role, string> = {
  owner: "Owner",
  admin: "Admin",
  approver: "Approver",
  auditor: "Auditor",
  member: "Member",
};

export const roleHelp: Record<Role, string> = {
  owner: "Everything, and hands over the tenant",
  admin: "Manages people, keys and connections, and approves",
  approver: "Sees everything and decides where policy allows",
  auditor: "Sees and verifies everything, decides nothing",
  member: "Proposes, and sees own proposals",
};

export const priorityWord: Record<TaskPriority, string> = {
  low: "Low",
  normal: "Normal",
  high: "High",
};

export const decisionWord: Record<PolicyDecision, string> = {
  allow: "Runs without asking",
  deny: "Refused by policy",
  requires_approval: "Needs approval",
};

/** What a time before which something is not to begin means. */
export const notBeforeHint = "It can be approved at any time, and begins no earlier than this.";

export const assurances: readonly Assurance[] = ["device", "device_confirmed"];

export const assuranceWord: Record<Assurance, string> = {
  session: "Signed in",
  device: "On their own device",
  device_confirmed: "Confirmed on their device",
};

/** Times to decide that a rule offers, in minutes; null: as long as the proposer asks. */
export const lifetimes: readonly (number | null)[] = [null, 60, 240, 480, 1440, 4320, 10080];

export function lifetimeWord(minutes: number | null): string {
  return minutes === null ? "As asked for" : spanWord(minutes * 60);
}

/** Undo windows that a rule offers, in seconds; null: the tool's own. */
export const holds: readonly (number | null)[] = [null, 30, 60, 120, 300, 600];

export function holdWord(seconds: number | null): string {
  return seconds === null ? "The tool's own" : spanWord(seconds);
}

/** For how many days a rule keeps what was written; null: for ever. */
export const keeps: readonly (number | null)[] = [null, 30, 90, 365, 730, 2555, 3650];

export function keepWord(days: number | null): string {
  if (days === null) return "For ever";
  const [number, unit] = days % 365 === 0 ? [days / 365, "year"] : [days, "day"];
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}

/** Whole seconds in the longest unit that says them exactly. */
function spanWord(seconds: number): string {
  const units: readonly [number, string][] = [
    [86400, "day"],
    [3600, "hour"],
    [60, "minute"],
  ];
  const [size, unit] = units.find(([whole]) => seconds > 0 && seconds % whole === 0) ?? [
    1,
    "second",
  ];
  const number = seconds / size;
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}

export const changeWord: Record<Change, string> = {
  unchanged: "Unchanged",
  changed: "Changed",
  added: "Added",
  removed: "Removed",
};

const labels: Record<string, string> = {
  to: "To",
  cc: "Cc",
  bcc: "Bcc",
  from: "From",
  subject: "Subject",
  body: "Body",
  text: "Text",
  title: "Title",
  description: "Description",
  priority: "Priority",
  due_date: "Due",
  dueDate: "Due",
  url: "Address",
  method: "Method",
  headers: "Headers",
  connection: "Connection",
  include_details: "Include details",
  includeDetails: "Include details",
  reply_to: "Reply to",
  replyTo: "Reply to",
};

/** A label key in words: a known one, or the key itself with its words apart. */
export function label(key: string): string {
  const known = labels[key];
  if (known) return known;
  const apart = key.replace(/[_.]+/g, " ").replace(/([a-z\d])([A-Z])/g, "$1 $2");
  return apart.charAt(0).toUpperCase() + apart.slice(1);
}

/** Spans as one string, for names that a screen reader speaks and for the clipboard. */
export function plain(spans: readonly Span[]): string {
  return spans.map((span) => span.text).join("");
}
