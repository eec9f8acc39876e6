import { percent } from "./format";

/** How full something is, 0 to 100. It warns from 80 and alarms from 95 on. */
export function Meter({ name, value, text }: { name: string; value: number; text?: string }) {
  const tone = value >= 95 ? "bad" : value >= 80 ? "warn" : "good";
  const said = text ?? percent(value);
  return (
    <div className="meter">
      <span>{name}</span>
      <div
        className={`meter__track tone-${tone}`}
        role="meter"
        aria-label={name}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(value)}
        aria-valuetext={said}
      >
        <div className="meter__bar" style={{ width: `${Math.min(100, value)}%` }} />
      </div>
      <span className="meter__text">{said}</span>
    </div>
  );
}
