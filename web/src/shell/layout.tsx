import { Suspense, useEffect, useRef } from "react";
import { Outlet, useLocation } from "react-router";

import { useFeedState } from "../live/live";
import { Loading } from "../show/nothing";
import { Navigation } from "./navigation";

/** The frame around all pages. */
export function Layout() {
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  useEffect(() => {
    main.current?.scrollTo(0, 0);
  }, [pathname]);
  return (
    <div className="l-application">
      <a className="skip" href="#main" onClick={() => main.current?.focus()}>
        Skip to the page
      </a>
      <Navigation />
      <main className="l-main" id="main" ref={main} tabIndex={-1}>
        <Offline />
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </main>
    </div>
  );
}

function Offline() {
  if (useFeedState() !== "offline") return null;
  return (
    <div className="offline" role="alert">
      The daemon does not answer. What you see may be old; it is brought up to date as soon as the daemon is back.
    </div>
  );
}
