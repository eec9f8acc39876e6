import { useQuery } from "@tanstack/react-query";

import { api, ask } from "../api/client";
import type { Explanation } from "../api/types";
import { sentence } from "../show/nothing";
import { Query } from "../show/query";
import { State } from "../show/state";

interface Props {
  image: string;
  plan: string;
  member: string;
}

/** Where a tenant would be placed now, and why there. */
export function Placement({ image, plan, member }: Props) {
  const explanation = useQuery({
    queryKey: ["placement", image, plan, member],
    staleTime: 5000,
    queryFn: ({ signal }) => {
      const body = { image, plan, ...(member === "" ? {} : { member }) };
      return ask(api.POST("/v1/placement/explain", { body, signal }));
    },
  });
  return <Query query={explanation}>{(data) => <Why explanation={data} />}</Query>;
}

/** The members in order, each with its points or what is against it. */
export function Why({ explanation }: { explanation: Explanation }) {
  const { member, refusal, hint, verdicts } = explanation;
  return (
    <>
      <p>
        {member !== undefined ? (
          <>
            It goes to <strong>{member}</strong> ({explanation.strategy === "spread" ? "tenants are spread out" : "members are filled one after another"}).
          </>
        ) : (
          <>
            {sentence(refusal ?? "No member fits")} {hint !== undefined && sentence(hint)}
          </>
        )}
      </p>
      <ul className="line">
        {verdicts.map((verdict) => (
          <li key={verdict.member}>
            <State tone={verdict.member === member ? "good" : verdict.fits ? "idle" : "warn"}>{""}</State>
            <div>
              <strong>{verdict.member}</strong>{" "}
              {verdict.fits ? `${verdict.score.toFixed(0)} points` : (verdict.reason ?? verdict.filter ?? "does not fit")}
              <p>{verdict.parts.map((part) => `${part.name} ${part.points.toFixed(0)}`).join(" · ")}</p>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}
