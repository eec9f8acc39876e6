import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { NavLink } from "react-router";

import { useFeedState } from "../live/live";
import { leave } from "../access/leave";
import type { Role } from "../api/types";
import { session, useMay } from "./session";
import { useTheme, type Theme } from "./theme";

interface Place {
  to: string;
  name: string;
  icon: string;
  role: Role;
}

const places: readonly Place[] = [
  { to: "/", name: "Overview", icon: "statistics", role: "viewer" },
  { to: "/tenants", name: "Tenants", icon: "applications", role: "client" },
  { to: "/images", name: "Images", icon: "image", role: "viewer" },
  { to: "/members", name: "Members", icon: "cluster-host", role: "viewer" },
  { to: "/clusters", name: "Clusters", icon: "storage-pool", role: "viewer" },
  { to: "/jobs", name: "Jobs", icon: "history", role: "client" },
  { to: "/backups", name: "Backups", icon: "archive", role: "viewer" },
  { to: "/users", name: "Users", icon: "user-group", role: "admin" },
  { to: "/tokens", name: "Tokens", icon: "private-key", role: "client" },
  { to: "/webhooks", name: "Webhooks", icon: "connected", role: "admin" },
  { to: "/audit", name: "Audit log", icon: "search", role: "admin" },
  { to: "/settings", name: "Settings", icon: "settings", role: "viewer" },
];

/** The way to all pages: a drawer on narrow screens, else at the side. */
export function Navigation() {
  const [open, setOpen] = useState(false);
  return (
    <>
      <header className="l-navigation-bar">
        <div className="bar is-dark">
          <button type="button" aria-label="Menu" aria-expanded={open} onClick={() => setOpen(true)}>
            <i className="p-icon--menu" />
          </button>
          <Brand />
        </div>
      </header>
      <nav className={`l-navigation is-dark ${open ? "" : "is-collapsed"}`} aria-label="Main">
        <div className="l-navigation__drawer">
          <div className="p-panel is-dark side" onClick={() => setOpen(false)}>
            <Brand />
            <Places />
            <Foot />
          </div>
        </div>
      </nav>
    </>
  );
}

function Brand() {
  return (
    <NavLink className="side__brand" to="/">
      <img src="/ui/favicon.svg" alt="" />
      <span>lxdfleet</span>
    </NavLink>
  );
}

function Places() {
  const may: Record<Role, boolean> = {
    client: useMay("client"),
    viewer: useMay("viewer"),
    operator: useMay("operator"),
    admin: useMay("admin"),
  };
  return (
    <div className="p-side-navigation is-dark">
      <ul className="p-side-navigation__list">
        {places
          .filter((place) => may[place.role])
          .map((place) => (
            <li className="p-side-navigation__item" key={place.to}>
              <NavLink className="p-side-navigation__link" to={place.to} end={place.to === "/"}>
                <i className={`p-icon--${place.icon} is-light`} aria-hidden="true" />
                <span className="p-side-navigation__label">{place.name}</span>
              </NavLink>
            </li>
          ))}
      </ul>
    </div>
  );
}

const next: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

function Foot() {
  const [theme, setTheme] = useTheme();
  const { data: who } = useQuery(session);
  return (
    <div className="side__foot" onClick={(e) => e.stopPropagation()}>
      <LiveState />
      <button type="button" onClick={() => setTheme(next[theme])}>
        Theme: {theme}
      </button>
      {who?.kind === "session" && <Me name={who.display_name ?? who.user} />}
    </div>
  );
}

function Me({ name }: { name: string }) {
  return (
    <>
      <NavLink to="/account">{name}</NavLink>{" "}
      <button type="button" onClick={() => void leave()}>
        Log out
      </button>
    </>
  );
}

function LiveState() {
  const state = useFeedState();
  return (
    <div className={`side__live is-dark ${state === "live" ? "tone-good" : "tone-warn"}`}>
      <span className="dot" aria-hidden="true" /> {state === "live" ? "Live" : state === "connecting" ? "Connecting" : "Offline"}
    </div>
  );
}
