import { useQuery } from "@tanstack/react-query";

import { JobList } from "../jobs/list";
import { jobsQuery } from "../jobs/query";
import { Query } from "../show/query";
import { useTenant } from "./tenant";

/** All that was done to a tenant. */
export function TenantJobs() {
  const { name } = useTenant();
  const jobs = useQuery(jobsQuery({ subject: `tenant/${name}`, limit: 500 }));
  return <Query query={jobs}>{(data) => <JobList jobs={data.items} tall />}</Query>;
}
