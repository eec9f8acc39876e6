import { useId, type ReactNode } from "react";

interface Props {
  label: string;
  help?: ReactNode;
  wrong?: string | undefined;
  children: (props: { id: string; "aria-describedby"?: string; "aria-invalid"?: boolean }) => ReactNode;
}

/** A labelled input with what helps, and what is wrong with it. */
export function Field({ label, help, wrong, children }: Props) {
  const id = useId();
  const faulty = wrong !== undefined && wrong !== "";
  const note = faulty || help !== undefined;
  return (
    <div className={`form__row ${faulty ? "is-error" : ""}`}>
      <label htmlFor={id}>{label}</label>
      {children({ id, ...(note ? { "aria-describedby": `${id}-note` } : {}), ...(faulty ? { "aria-invalid": true } : {}) })}
      {note && (
        <p id={`${id}-note`} className={faulty ? "wrong" : "help"} {...(faulty ? { role: "alert" } : {})}>
          {faulty ? wrong : help}
        </p>
      )}
    </div>
  );
}
