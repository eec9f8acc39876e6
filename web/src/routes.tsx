import { createBrowserRouter, type RouteObject } from "react-router";

import { Live } from "./live/live";
import { Overview } from "./overview/overview";
import { Layout } from "./shell/layout";
import { Lost } from "./shell/lost";
import { NoticeBoard } from "./shell/notices";

function Root() {
  return (
    <Live>
      <NoticeBoard>
        <Layout />
      </NoticeBoard>
    </Live>
  );
}

// Everything but the first page is loaded when it is asked for.
const pages: RouteObject[] = [
  { index: true, element: <Overview /> },
  { path: "tenants", lazy: async () => ({ Component: (await import("./tenants/tenants")).Tenants }) },
  { path: "tenants/new", lazy: async () => ({ Component: (await import("./tenants/wizard")).Wizard }) },
  {
    path: "tenants/:name",
    lazy: async () => ({ Component: (await import("./tenant/tenant")).TenantPage }),
    children: [
      { index: true, lazy: async () => ({ Component: (await import("./tenant/summary")).Summary }) },
      { path: "domains", lazy: async () => ({ Component: (await import("./tenant/domains")).Domains }) },
      { path: "timeline", lazy: async () => ({ Component: (await import("./tenant/timeline")).Timeline }) },
      { path: "usage", lazy: async () => ({ Component: (await import("./tenant/plots")).Usage }) },
      { path: "jobs", lazy: async () => ({ Component: (await import("./tenant/jobs")).TenantJobs }) },
      { path: "logs", lazy: async () => ({ Component: (await import("./tenant/logs")).Logs }) },
      { path: "terminal", lazy: async () => ({ Component: (await import("./tenant/terminal")).TerminalTab }) },
      { path: "settings", lazy: async () => ({ Component: (await import("./tenant/settings")).TenantSettings }) },
    ],
  },
  { path: "images", lazy: async () => ({ Component: (await import("./images/images")).Images }) },
  { path: "images/:name/:version", lazy: async () => ({ Component: (await import("./images/image")).ImagePage }) },
  { path: "members", lazy: async () => ({ Component: (await import("./members/members")).Members }) },
  { path: "members/:name", lazy: async () => ({ Component: (await import("./members/member")).MemberPage }) },
  { path: "jobs", lazy: async () => ({ Component: (await import("./jobs/jobs")).Jobs }) },
  { path: "jobs/:id", lazy: async () => ({ Component: (await import("./jobs/job")).JobPage }) },
  { path: "backups", lazy: async () => ({ Component: (await import("./backups/backups")).Backups }) },
  { path: "clusters", lazy: async () => ({ Component: (await import("./clusters/clusters")).Clusters }) },
  { path: "settings", lazy: async () => ({ Component: (await import("./settings/settings")).Settings }) },
  { path: "users", lazy: async () => ({ Component: (await import("./access/users")).Users }) },
  { path: "tokens", lazy: async () => ({ Component: (await import("./access/tokens")).Tokens }) },
  { path: "webhooks", lazy: async () => ({ Component: (await import("./webhooks/webhooks")).Webhooks }) },
  { path: "audit", lazy: async () => ({ Component: (await import("./access/audit")).Audit }) },
  { path: "account", lazy: async () => ({ Component: (await import("./access/account")).Account }) },
  { path: "*", element: <Lost /> },
];

export const router = createBrowserRouter([{ path: "/", element: <Root />, errorElement: <Lost />, children: pages }], { basename: "/ui" });
