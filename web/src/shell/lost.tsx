import { Link, useRouteError } from "react-router";

import { asError } from "../api/problem";
import { Failure, Nothing } from "../show/nothing";
import { Page } from "./page";

/** For addresses that lead nowhere, and for what went wrong while a page was drawn. */
export function Lost() {
  const thrown = useRouteError();
  return (
    <Page title="Not found">
      {thrown === undefined ? (
        <Nothing title="There is no such page">
          <p>
            <Link to="/">Go to the overview</Link>
          </p>
        </Nothing>
      ) : (
        <Failure error={asError(thrown)} again={() => location.reload()} />
      )}
    </Page>
  );
}
