// Spans of time; everything is UTC, as the windows are.

import type { Span } from "./api";
import type { View } from "./url_state";

const UNITS: Record<string, number> = { m: 60e3, h: 3600e3, d: 86400e3, w: 7 * 86400e3, y: 365.25 * 86400e3 };
export const PRESETS: [string, string][] = [
  ["1h", "hour"], ["1d", "day"], ["7d", "week"], ["30d", "month"], ["1y", "year"], ["5y", "5 years"],
];
const LEAST = 2 * 60e3;
const EARLIEST = Date.UTC(1971, 0, 1);

export const iso = (ms: number): string => new Date(ms).toISOString().replace(".000Z", "Z");
export const lengthOf = (text: string): number => {
  const found = /^(\d+)([mhdwy])$/.exec(text);
  return found ? Number(found[1]) * (UNITS[found[2] ?? ""] ?? 0) : 7 * 86400e3;
};

/** From and to of a view; one that follows the clock ends now. */
export function spanOf(view: View, now: number): [number, number] {
  const from = Date.parse(view.from);
  const to = Date.parse(view.to);
  if (!Number.isNaN(from) && !Number.isNaN(to) && from < to) return [from, to];
  return [now - lengthOf(view.last), now];
}

export const follows = (view: View): boolean => !view.from || !view.to;

/** A span around a part of the present one: 0 is its start, 1 its end. */
export function zoomed([from, to]: [number, number], left: number, right: number): [number, number] {
  const length = Math.max(LEAST, (right - left) * (to - from));
  const start = Math.max(EARLIEST, from + left * (to - from));
  return [start, start + length];
}

/** As an input of the browser has it, to the minute. */
export const forInput = (ms: number): string => new Date(ms).toISOString().slice(0, 16);

export function spanText({ start, stop }: Span): string {
  const sameDay = start.slice(0, 10) === stop.slice(0, 10);
  return `${shortTime(start)} to ${sameDay ? shortTime(stop).slice(11) : shortTime(stop)}`;
}

export function shortTime(text: string): string {
  const [date, time] = text.replace("Z", "").split("T");
  return `${date} ${(time ?? "00:00").replace(/:00$/, "").replace(/\.\d+$/, "")}`;
}

export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 90) return `${Math.round(seconds * 10) / 10} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 360) / 10} h` : `${Math.round(seconds / 8640) / 10} d`;
}
