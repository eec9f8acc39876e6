import { useEffect, type ReactNode } from "react";

interface Props {
  title: string;
  /** Beside the title. */
  state?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** One page: its title, what can be done, and its content. */
export function Page({ title, state, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · lxdfleet`;
  }, [title]);
  return (
    <div className="page">
      <header className="page__head">
        <h1>{title}</h1>
        {state}
        {actions !== undefined && <div className="page__actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}
