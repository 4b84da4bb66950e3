// What is looked at, as the query string: a link shows the same to a colleague. Inside of Airflow's frame the outer URL has it too.

export interface View {
  conn: string;
  ledger: string;
  /** a length such as "7d" up to now, or a fixed span */
  last: string;
  from: string;
  to: string;
  q: string;
  wrong: boolean;
  pipeline: string;
  start: string;
  table: boolean;
}

const NAMES = ["conn", "ledger", "last", "from", "to", "q", "wrong", "pipeline", "start", "table"] as const;
export const EMPTY: View = {
  conn: "", ledger: "", last: "7d", from: "", to: "", q: "", wrong: false, pipeline: "", start: "", table: false,
};

function outer(): Window {
  // Airflow's own page around this one has the same origin
  try {
    if (window.parent !== window && window.parent.location.origin === window.location.origin) return window.parent;
  } catch {
    // a frame of another origin, whose URL is none of ours
  }
  return window;
}

export function readView(): View {
  const own = new URLSearchParams(window.location.search);
  const query = [...own.keys()].length ? own : new URLSearchParams(outer().location.search);
  const view: View = { ...EMPTY };
  for (const name of NAMES) {
    const value = query.get(name);
    if (value === null) continue;
    if (name === "wrong" || name === "table") view[name] = value === "1";
    else view[name] = value;
  }
  return view;
}

export function writeView(view: View): void {
  for (const place of new Set([window, outer()])) {
    const query = new URLSearchParams(place.location.search);
    for (const name of NAMES) {
      const value = view[name] === true ? "1" : view[name] || "";
      if (value && value !== EMPTY[name]) query.set(name, value);
      else query.delete(name);
    }
    const text = query.toString();
    place.history.replaceState(place.history.state, "", place.location.pathname + (text ? `?${text}` : ""));
  }
}
