import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import type { Image } from "../api/types";
import { useTenants } from "../tenants/all";
import { Page } from "../shell/page";
import { bytes } from "../show/format";
import { Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { Rows, type Column } from "../show/rows";
import { State } from "../show/state";
import { Ago } from "../show/time";
import { imagesQuery } from "./query";

/** All golden images with who uses them. */
export function Images() {
  const images = useQuery(imagesQuery);
  const { data: tenants = [] } = useTenants();
  const uses = new Map<string, number>();
  for (const tenant of tenants) uses.set(tenant.image, (uses.get(tenant.image) ?? 0) + 1);
  const columns: readonly Column<Image>[] = [
    { key: "name", title: "Image", sort: (i) => `${i.name}/${i.version}`, show: (i) => <Link to={`/images/${i.name}/${i.version}`}>{`${i.name}/${i.version}`}</Link> },
    { key: "current", title: "", width: "7rem", show: (i) => i.current && <State tone="good">current</State> },
    { key: "tenants", title: "Tenants", width: "7rem", sort: (i) => uses.get(`${i.name}/${i.version}`) ?? 0, show: (i) => uses.get(`${i.name}/${i.version}`) ?? 0 },
    { key: "size", title: "Size", width: "8rem", minor: true, sort: (i) => i.size, show: (i) => bytes(i.size) },
    { key: "members", title: "Unpacked on", minor: true, show: (i) => i.members.join(", ") },
    { key: "created", title: "Created", width: "10rem", minor: true, sort: (i) => i.created_at, show: (i) => <Ago at={i.created_at} /> },
    { key: "description", title: "Description", minor: true, show: (i) => i.description },
  ];
  return (
    <Page title="Images">
      <Query query={images}>
        {({ items }) => (
          <Rows
            label="Golden images"
            rows={items}
            columns={columns}
            id={(i) => `${i.name}/${i.version}`}
            empty={
              <Nothing title="No golden images yet">
                <p>
                  Tenants are cloned from one: <span className="mono">lxdfleet image build RECIPE</span>
                </p>
              </Nothing>
            }
          />
        )}
      </Query>
    </Page>
  );
}
