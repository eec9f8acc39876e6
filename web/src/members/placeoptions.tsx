import { useQuery } from "@tanstack/react-query";

import { places } from "./places";
import { membersQuery } from "./query";

/** What a select offers to put a tenant on: members, those of other clusters in groups of their own. */
export function PlaceOptions({ except }: { except?: string | undefined }) {
  const { data } = useQuery(membersQuery);
  const [home, ...others] = places((data?.items ?? []).map((member) => member.name));
  const options = (members: readonly string[]) => members.filter((name) => name !== except).map((name) => <option key={name}>{name}</option>);
  return (
    <>
      <option value="">Placement chooses</option>
      {options(home?.members ?? [])}
      {others.map(({ cluster, members }) => (
        <optgroup key={cluster} label={`Cluster ${cluster}`}>
          <option value={`${cluster}:`}>{cluster}: whichever suits best</option>
          {options(members)}
        </optgroup>
      ))}
    </>
  );
}
