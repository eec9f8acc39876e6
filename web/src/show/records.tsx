import type { components } from "../api/schema.gen";

type Record = components["schemas"]["DNSRecord"];

/** Records as they are typed into a zone. */
export function Records({ records }: { records: readonly Record[] }) {
  return (
    <pre className="text" tabIndex={0}>
      {records.map((record) => `${record.name}  ${record.type}  ${record.value}\n`)}
    </pre>
  );
}
