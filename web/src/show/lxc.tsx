import { useQuery } from "@tanstack/react-query";

import { serverQuery } from "../settings/query";
import { useMay } from "../shell/session";

/** What one would type to do the same with LXD's own command. */
export function Lxc({ commands, note }: { commands: readonly string[]; note?: string }) {
  const viewer = useMay("viewer");
  const { data: server } = useQuery({ ...serverQuery, enabled: viewer });
  const project = server?.project ?? "lxdfleet";
  if (!viewer) return null;
  return (
    <details className="lxc">
      <summary>With lxc</summary>
      <pre className="text" tabIndex={0}>
        {commands.map((command) => `lxc --project ${project} ${command}\n`)}
      </pre>
      <p className="u-text--muted">{note ?? "What is done there shows here within a second."}</p>
    </details>
  );
}
