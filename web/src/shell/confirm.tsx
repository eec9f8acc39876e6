import { ConfirmationModal } from "@canonical/react-components";
import { useId, useState, type ReactNode } from "react";

import { Lxc } from "../show/lxc";

interface Props {
  title: string;
  /** What the button says. */
  verb: string;
  children: ReactNode;
  /** Has to be typed, where what is done cannot be taken back. */
  type?: string | undefined;
  /** Whether all is given that it takes; true where it is not said. */
  ready?: boolean;
  /** What does the same with lxc, and what of it is different. */
  lxc?: readonly [command: string, note?: string];
  /** Gives whether the dialogue can close. */
  onConfirm: () => Promise<boolean>;
  onClose: () => void;
}

/** Asks before something is done. */
export function Confirm({ title, verb, children, type, ready = true, lxc, onConfirm, onClose }: Props) {
  const id = useId();
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const confirm = async () => {
    setBusy(true);
    const close = await onConfirm();
    setBusy(false);
    if (close) onClose();
  };
  return (
    <ConfirmationModal
      title={title}
      renderInPortal
      close={onClose}
      confirmButtonLabel={verb}
      confirmButtonAppearance={type === undefined ? "positive" : "negative"}
      confirmButtonDisabled={(type !== undefined && typed !== type) || !ready || busy}
      confirmButtonLoading={busy}
      onConfirm={() => void confirm()}
    >
      {children}
      {lxc !== undefined && <Lxc commands={[lxc[0]]} {...(lxc[1] === undefined ? {} : { note: lxc[1] })} />}
      {type !== undefined && (
        <div className="form__row">
          <label htmlFor={id}>
            Type <strong>{type}</strong> to confirm
          </label>
          <input id={id} type="text" autoComplete="off" value={typed} onChange={(e) => setTyped(e.target.value)} />
        </div>
      )}
    </ConfirmationModal>
  );
}
