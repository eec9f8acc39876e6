import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";

import { api, ask } from "../api/client";
import type { Image } from "../api/types";
import { JobView } from "../jobs/view";
import { useTenants } from "../tenants/all";
import { columns } from "../tenants/columns";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { Page } from "../shell/page";
import { useMay } from "../shell/session";
import { Box } from "../show/box";
import { Facts } from "../show/facts";
import { bytes } from "../show/format";
import { Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { Rows } from "../show/rows";
import { Moment } from "../show/time";

/** One version of a golden image: where it comes from, who uses it, how it was made. */
export function ImagePage() {
  const { name = "", version = "" } = useParams();
  const operator = useMay("operator");
  const image = useQuery({
    queryKey: ["images", name, version],
    queryFn: ({ signal }) => ask(api.GET("/v1/images/{name}/{version}", { params: { path: { name, version } }, signal })),
  });
  return (
    <Page title={`${name}/${version}`} actions={operator && image.data && <Delete image={image.data} />}>
      <Query query={image}>
        {(data) => (
          <div className="two">
            <Box title="About it">
              <Facts
                facts={[
                  ["Description", data.description],
                  ["For new tenants", data.current ? "yes, it is the current version" : "no"],
                  ["Size", bytes(data.size)],
                  ["Created", <Moment key="c" at={data.created_at} />],
                  ["Health check", `${data.health.path} on port ${data.health.port}`],
                  ["Hooks", data.hooks.join(", ")],
                  ["Unpacked on", data.members.join(", ")],
                  ["Fingerprint", <span key="f" className="mono">{data.fingerprint.slice(0, 12)}</span>],
                  ["Base", data.base_fingerprint !== undefined && <span key="b" className="mono">{data.base_fingerprint.slice(0, 12)}</span>],
                  ["Recipe", data.recipe_hash !== undefined && <span key="r" className="mono">{data.recipe_hash.slice(0, 12)}</span>],
                ]}
              />
            </Box>
            {data.job !== undefined && (
              <Box title="How it was made">
                <JobView id={data.job} />
              </Box>
            )}
          </div>
        )}
      </Query>
      <Users image={`${name}/${version}`} />
    </Page>
  );
}

function Users({ image }: { image: string }) {
  const tenants = useTenants();
  const shown = columns.filter((column) => ["name", "status", "customer", "member"].includes(column.key));
  return (
    <Box title="Tenants made from it">
      <Query query={tenants}>
        {(all) => {
          const users = all.filter((tenant) => tenant.image === image);
          return <Rows label={`Tenants of ${image}`} tall={users.length > 50} rows={users} columns={shown} id={(t) => t.name} empty={<Nothing title="No tenant uses it" />} />;
        }}
      </Query>
    </Box>
  );
}

function Delete({ image }: { image: Image }) {
  const { act } = useAct();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const path = { name: image.name, version: image.version };
  const remove = async () => {
    const taken = await act(`Delete ${image.name}/${image.version}`, () => ask(api.DELETE("/v1/images/{name}/{version}", { params: { path } })));
    if (taken) void navigate("/images");
    return taken;
  };
  return (
    <>
      <button onClick={() => setAsking(true)}>Delete</button>
      {asking && (
        <Confirm title={`Delete ${image.name}/${image.version}?`} verb="Delete" type={`${image.name}/${image.version}`} onClose={() => setAsking(false)} onConfirm={remove}>
          <p>A version that tenants use is not deleted.</p>
        </Confirm>
      )}
    </>
  );
}
