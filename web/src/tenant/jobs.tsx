import { useQuery } from "@tanstack/react-query";

import { JobList } from "../jobs/list";
import { MoveList } from "../jobs/moves";
import { jobsQuery } from "../jobs/query";
import { useLatest } from "../live/live";
import { NewsList } from "../live/newslist";
import { newsOf } from "../live/words";
import { Box } from "../show/box";
import { Query } from "../show/query";
import { useTenant } from "./tenant";

/** All that was done to a tenant, its moves apart, and what happens to it now. */
export function TenantJobs() {
  const { name } = useTenant();
  const jobs = useQuery(jobsQuery({ subject: `tenant/${name}`, limit: 500 }));
  const moves = useQuery(jobsQuery({ subject: `tenant/${name}`, kind: "tenant.move", limit: 20 }));
  const news = newsOf(useLatest(), name, new Set(jobs.data?.items.map((job) => job.id)));
  return (
    <>
      <Box title="As it happens">
        <NewsList news={news} />
      </Box>
      <Box title="Moves">
        <Query query={moves}>{(data) => (data.items.length === 0 ? <p className="u-text--muted">It was never moved.</p> : <MoveList moves={data.items} />)}</Query>
      </Box>
      <Box title="Jobs">
        <Query query={jobs}>{(data) => <JobList same jobs={data.items} tall={data.items.length > 50} />}</Query>
      </Box>
    </>
  );
}
