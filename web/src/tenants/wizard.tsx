import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";

import { api, ask, once } from "../api/client";
import { Problem, asError } from "../api/problem";
import type { Job } from "../api/types";
import { JobView } from "../jobs/view";
import { jobQuery } from "../jobs/query";
import { PlaceOptions } from "../members/placeoptions";
import { imagesQuery } from "../images/query";
import { Page } from "../shell/page";
import { Box } from "../show/box";
import { Field } from "../show/field";
import { Failure, sentence } from "../show/nothing";
import { Query } from "../show/query";
import { useTenants } from "./all";
import { Dns } from "./dns";
import { domainsFault, empty, nameFault, requestOf, words, type Draft } from "./draft";
import { Placement } from "./placement";

const plansQuery = { queryKey: ["plans"], queryFn: () => ask(api.GET("/v1/plans")) };
const policiesQuery = { queryKey: ["policies"], queryFn: () => ask(api.GET("/v1/policies")) };

/** Makes a tenant: fields, where it will be placed, and its job as it runs. */
export function Wizard() {
  const [job, setJob] = useState<{ name: string; job: Job }>();
  return (
    <Page title="Create a tenant">
      {job === undefined ? <Form onBegun={(name, begun) => setJob({ name, job: begun })} /> : <Running name={job.name} id={job.job.id} again={() => setJob(undefined)} />}
    </Page>
  );
}

function Form({ onBegun }: { onBegun: (name: string, job: Job) => void }) {
  const [draft, setDraft] = useState<Draft>(empty);
  const [error, setError] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const images = useQuery(imagesQuery);
  const plans = useQuery(plansQuery);
  const image = draft.image === "" ? (images.data?.items.find((i) => i.current)?.name ?? "") : draft.image;
  const plan = draft.plan === "" ? (plans.data?.items.find((p) => p.default)?.name ?? "") : draft.plan;
  const faults = useFaults(draft, error);
  const ready = draft.name !== "" && image !== "" && faults.name === "" && faults.domains === "" && !busy;
  const set = (change: Partial<Draft>) => {
    setError(undefined);
    setDraft({ ...draft, ...change });
  };
  const create = async () => {
    setBusy(true);
    try {
      const body = requestOf({ ...draft, image, plan });
      onBegun(draft.name, await ask(api.POST("/v1/tenants", { params: { header: once() }, body })));
    } catch (thrown) {
      setError(asError(thrown));
      setBusy(false);
    }
  };
  return (
    <form
      className="two"
      onSubmit={(e) => {
        e.preventDefault();
        if (ready) void create();
      }}
    >
      <div>
        <Box title="Who">
          <Field label="Name" wrong={faults.name} help="The tenant’s and its instance’s name. It cannot be changed later.">
            {(p) => <input {...p} type="text" autoFocus autoComplete="off" spellCheck={false} value={draft.name} onChange={(e) => set({ name: e.target.value })} />}
          </Field>
          <Field label="Customer" help="As people know it.">
            {(p) => <input {...p} type="text" value={draft.displayName} onChange={(e) => set({ displayName: e.target.value })} />}
          </Field>
          <Field label="Contact">{(p) => <input {...p} type="text" value={draft.contact} onChange={(e) => set({ contact: e.target.value })} />}</Field>
          <Field label="Labels" help="KEY=VALUE, several with spaces between them.">
            {(p) => <input {...p} type="text" value={draft.labels} onChange={(e) => set({ labels: e.target.value })} />}
          </Field>
        </Box>
        <Box title="Domains">
          <Field label="Domains" wrong={faults.domains} help="One in each line; the first is the primary one. The base domain’s own name is given where there is none.">
            {(p) => <textarea {...p} rows={3} spellCheck={false} value={draft.domains} onChange={(e) => set({ domains: e.target.value })} />}
          </Field>
          {faults.domains === "" && <Dns domains={words(draft.domains.toLowerCase())} />}
        </Box>
      </div>
      <div>
        <Box title="What">
          <Field label="Golden image" help={images.data?.items.length === 0 ? "There is none yet: lxdfleet image build RECIPE makes one." : undefined}>
            {(p) => (
              <select {...p} value={image} onChange={(e) => set({ image: e.target.value })}>
                {images.data?.items.map((i) => (
                  <option key={i.fingerprint} value={i.current ? i.name : `${i.name}/${i.version}`}>
                    {i.name}/{i.version} {i.current ? "(current)" : ""}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <fieldset>
            <legend className="u-off-screen">Plan</legend>
            <div className="choices">
              {plans.data?.items.map((p) => (
                <label key={p.name}>
                  <input type="radio" name="plan" value={p.name} checked={plan === p.name} onChange={() => set({ plan: p.name })} />
                  {p.name}
                  <small>
                    {p.cpu} CPU, {p.memory}, {p.disk} disk
                  </small>
                </label>
              ))}
            </div>
          </fieldset>
          <PolicyField draft={draft} set={set} />
        </Box>
        <Box title="Where">
          <MemberField draft={draft} set={set} />
          {image !== "" && <Placement image={image} plan={plan} member={draft.member} />}
        </Box>
        {error !== undefined && faults.known !== error && <Failure error={error} />}
        <button className="p-button--positive" disabled={!ready}>
          Create
        </button>
      </div>
    </form>
  );
}

type Set = (change: Partial<Draft>) => void;

function PolicyField({ draft, set }: { draft: Draft; set: Set }) {
  const policies = useQuery(policiesQuery);
  if ((policies.data?.items.length ?? 0) === 0) return null;
  return (
    <Field label="Policy" help="When it is snapshotted and backed up.">
      {(p) => (
        <select {...p} value={draft.policy} onChange={(e) => set({ policy: e.target.value })}>
          <option value="">None</option>
          {policies.data?.items.map((policy) => (
            <option key={policy.name}>{policy.name}</option>
          ))}
        </select>
      )}
    </Field>
  );
}

function MemberField({ draft, set }: { draft: Draft; set: Set }) {
  return (
    <Field label="Member">
      {(p) => (
        <select {...p} value={draft.member} onChange={(e) => set({ member: e.target.value })}>
          <PlaceOptions />
        </select>
      )}
    </Field>
  );
}

// What is wrong with single fields: seen here at once, or told by the daemon.
function useFaults(draft: Draft, error: Error | undefined) {
  const { data: all = [] } = useTenants();
  const names = new Set(all.map((tenant) => tenant.name));
  const owners = new Map(all.flatMap((tenant) => tenant.domains.map((domain) => [domain, tenant.name] as const)));
  const faults = { name: nameFault(draft.name, names), domains: domainsFault(draft.domains, owners), known: undefined as Error | undefined };
  if (error instanceof Problem) {
    const text = sentence(error.message) + (error.hint === undefined ? "" : ` ${sentence(error.hint)}`);
    if (error.field === "name") return { ...faults, name: faults.name || text, known: error };
    if (error.field?.startsWith("domain") === true) return { ...faults, domains: text, known: error };
  }
  return faults;
}

function Running({ name, id, again }: { name: string; id: string; again: () => void }) {
  const navigate = useNavigate();
  const job = useQuery(jobQuery(id));
  const state = job.data?.job.state;
  return (
    <Box title={`Creating ${name}`}>
      <Query query={job}>{() => <JobView id={id} />}</Query>
      {state === "done" && (
        <button className="p-button--positive" autoFocus onClick={() => void navigate(`/tenants/${name}`)}>
          Open {name}
        </button>
      )}
      {job.data?.job.finished === true && state !== "done" && <button onClick={again}>Back to the form</button>}
    </Box>
  );
}
