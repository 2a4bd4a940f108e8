// Durations as ISO 8601 texts.

const ISO = /^([+-])?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
const CLOCK = /^(-)?(?:(\d+) (?:days?,? )?)?(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?$/;

/** Seconds of an ISO 8601 duration or of [days] hours:minutes[:seconds]; undefined for anything else. */
export function durationSeconds(text: string): number | undefined {
  const iso = ISO.exec(text);
  if (iso && /\d/.test(text) && !text.endsWith("T")) {
    const [, sign, weeks, days, hours, minutes, seconds] = iso;
    return total(sign, Number(weeks ?? 0) * 7 + Number(days ?? 0), hours, minutes, seconds);
  }
  const clock = CLOCK.exec(text);
  if (!clock) return undefined;
  const [, sign, days, hours, minutes, seconds] = clock;
  return total(sign, Number(days ?? 0), hours, minutes, seconds);
}

function total(sign: string | undefined, days: number, hours = "0", minutes = "0", seconds = "0"): number {
  return (sign === "-" ? -1 : 1) * (((days * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds));
}

/** `P1DT2H`, `PT1M`, `PT0S`; fractions down to microseconds. */
export function durationText(seconds: number): string {
  const micros = Math.round(Math.abs(seconds) * 1e6);
  const whole = Math.floor(micros / 1e6);
  const days = Math.floor(whole / 86_400);
  const hours = Math.floor(whole / 3600) % 24;
  const minutes = Math.floor(whole / 60) % 60;
  const rest = (whole % 60) + (micros % 1e6) / 1e6;
  const time = [hours > 0 ? `${hours}H` : "", minutes > 0 ? `${minutes}M` : "", rest > 0 ? `${rest}S` : ""].join("");
  const text = `P${days > 0 ? `${days}D` : ""}${time === "" ? "" : `T${time}`}`;
  return (seconds < 0 && micros > 0 ? "-" : "") + (text === "P" ? "PT0S" : text);
}
