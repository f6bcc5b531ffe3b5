/* Times in words. All arithmetic that matters is done by the core: here are only labels. */

/** The page's language, whatever the system's is: days and times stand in the core's English sentences too. */
const english = "en-GB";

const clock = new Intl.DateTimeFormat(english, {
  hour: "2-digit",
  minute: "2-digit",
  hour12: false,
});
const day = new Intl.DateTimeFormat(english, { day: "numeric", month: "short" });
const dayYear = new Intl.DateTimeFormat(english, {
  day: "numeric",
  month: "short",
  year: "numeric",
});
const full = new Intl.DateTimeFormat(english, { dateStyle: "full", timeStyle: "long" });

const minute = 60;
const hour = 60 * minute;
const oneDay = 24 * hour;

/** "10:02" today, "12 May, 10:02" this year, else with the year. */
export function moment(at: string, now = new Date()): string {
  const then = new Date(at);
  if (Number.isNaN(then.getTime())) return at;
  if (then.toDateString() === now.toDateString()) return clock.format(then);
  const dated = then.getFullYear() === now.getFullYear() ? day : dayYear;
  return `${dated.format(then)}, ${clock.format(then)}`;
}

/** "12 May", for due dates. A bare date belongs to the reader's calendar, not to UTC. */
export function date(at: string, now = new Date()): string {
  const bare = /^\d{4}-\d{2}-\d{2}$/.test(at);
  const then = new Date(bare ? `${at}T00:00:00` : at);
  if (Number.isNaN(then.getTime())) return at;
  return (then.getFullYear() === now.getFullYear() ? day : dayYear).format(then);
}

/** The whole thing, for a tooltip. */
export function exactly(at: string): string {
  const then = new Date(at);
  return Number.isNaN(then.getTime()) ? at : full.format(then);
}

/** "2031-05-12T10:30" on the reader's clock, as a field for a day and a time has it. */
export function onClock(at: string): string {
  const then = new Date(at);
  if (Number.isNaN(then.getTime())) return "";
  const two = (n: number) => String(n).padStart(2, "0");
  const year = String(then.getFullYear()).padStart(4, "0");
  const bare = `${year}-${two(then.getMonth() + 1)}-${two(then.getDate())}`;
  return `${bare}T${two(then.getHours())}:${two(then.getMinutes())}`;
}

/** The moment that such a text names. What names none stays as it is, for the core to refuse. */
export function instant(local: string): string {
  const then = new Date(local);
  const whole = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/.test(local);
  return whole && !Number.isNaN(then.getTime()) ? then.toISOString() : local;
}

/** "45 s", "12 min", "71 h", "3 d": one unit, rounded down, so it never promises more than there is. */
export function span(seconds: number): string {
  const left = Math.max(0, Math.floor(seconds));
  if (left < minute) return `${left} s`;
  if (left < hour) return `${Math.floor(left / minute)} min`;
  if (left < 3 * oneDay) return `${Math.floor(left / hour)} h`;
  return `${Math.floor(left / oneDay)} d`;
}

/** "just now", "12 min ago". */
export function ago(seconds: number): string {
  return seconds < 10 ? "just now" : `${span(seconds)} ago`;
}

export function count(n: number): string {
  return n.toLocaleString(english);
}

/** "1 entry", "2 entries". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
