// How times, lengths, sizes and numbers are written.

const pad = (value: number): string => String(value).padStart(2, "0");

/** A length: `4:07`, `1:02:09`. */
export function length(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return "–";
  const seconds = Math.max(0, Math.round(ms / 1000));
  const rest = pad(seconds % 60);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${rest}`;
}

/** A moment in a recording, to the tenth of a second: `4:07.3`. */
export function moment(seconds: number): string {
  const tenths = Math.max(0, Math.floor(seconds * 10));
  const whole = Math.floor(tenths / 10);
  const tail = `${pad(whole % 60)}.${tenths % 10}`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${tail}`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${tail}`;
}

/** Reads `4:07`, `1:02:09` or `90` as milliseconds. */
export function parseLength(text: string): number | null {
  const parts = text.trim().split(":");
  if (!parts.length || parts.length > 3 || parts.some((part) => !/^\d+(\.\d+)?$/.test(part))) {
    return null;
  }
  return Math.round(parts.reduce((sum, part) => sum * 60 + Number(part), 0) * 1000);
}

const DAY = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", year: "numeric" });
const DAY_SHORT = new Intl.DateTimeFormat(undefined, {
  weekday: "short",
  day: "numeric",
  month: "short",
});
const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

export function clock(at: number): string {
  return CLOCK.format(at);
}

export function day(at: number): string {
  const sameYear = new Date(at).getFullYear() === new Date().getFullYear();
  return (sameYear ? DAY_SHORT : DAY).format(at);
}

export function when(at: number | string | null | undefined): string {
  if (at === null || at === undefined) return "–";
  const time = typeof at === "string" ? Date.parse(at) : at;
  if (!Number.isFinite(time)) return "–";
  return `${DAY.format(time)}, ${CLOCK.format(time)}`;
}

const NUMBER = new Intl.NumberFormat();

export function count(value: number): string {
  return NUMBER.format(value);
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit] ?? ""}`;
}

export function decibels(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : `${value.toFixed(1)} dB`;
}

/** A long time in its largest two units: `3 d 4 h`. */
export function span(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  return minutes ? `${minutes} min` : `${Math.floor(ms / 1000)} s`;
}

/** The value of `<input type="datetime-local">` for a time, and back. */
export function toLocalInput(at: number | undefined): string {
  if (at === undefined) return "";
  const local = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

export function fromLocalInput(text: string): number | undefined {
  const at = Date.parse(text);
  return text && Number.isFinite(at) ? at : undefined;
}
