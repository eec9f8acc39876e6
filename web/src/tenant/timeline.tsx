import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask, once } from "../api/client";
import type { Backup, Snapshot } from "../api/types";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { useMay } from "../shell/session";
import { bytes, count } from "../show/format";
import { Failure, Loading, Nothing } from "../show/nothing";
import { State } from "../show/state";
import { Ago } from "../show/time";
import { Compare } from "./compare";
import { line, mark, type Point } from "./line";
import { backupsQuery, snapshotsQuery } from "./query";
import { useTenant } from "./tenant";

type Question = { verb: "restore" | "delete"; snapshot: Snapshot } | { verb: "restore" | "delete"; backup: Backup };

/** Snapshots and backups on one line, newest first. */
export function Timeline() {
  const { name } = useTenant();
  const snapshots = useQuery(snapshotsQuery(name));
  const backups = useQuery(backupsQuery(name));
  const [question, setQuestion] = useState<Question>();
  const [compared, setCompared] = useState<Point>();
  const points = line(snapshots.data?.items ?? [], backups.data?.items ?? []);
  return (
    <>
      {[snapshots, backups].map((query, i) => query.isError && <Failure key={i} error={query.error} again={query.refetch} />)}
      {snapshots.isPending && <Loading />}
      {points.length === 0 && !snapshots.isPending && (
        <Nothing title="Nothing to go back to">
          <p>“Snapshot” takes one in a moment; a policy takes them by itself.</p>
        </Nothing>
      )}
      <ul className="line">
        {points.map((point) =>
          point.kind === "snapshot" ? (
            <SnapshotPoint key={mark(point)} snapshot={point.snapshot} ask={setQuestion} compare={() => setCompared(point)} />
          ) : (
            <BackupPoint key={mark(point)} backup={point.backup} ask={setQuestion} compare={() => setCompared(point)} />
          ),
        )}
      </ul>
      {compared !== undefined && <Compare key={mark(compared)} tenant={name} from={compared} points={points} onClose={() => setCompared(undefined)} />}
      {question !== undefined && <Sure question={question} onClose={() => setQuestion(undefined)} />}
    </>
  );
}

type Ask = (question: Question) => void;

function SnapshotPoint({ snapshot, ask: question, compare }: { snapshot: Snapshot; ask: Ask; compare: () => void }) {
  const operator = useMay("operator");
  return (
    <li>
      <i className="p-icon--snapshot" title="Snapshot" />
      <div>
        <strong>{snapshot.name}</strong> <Ago at={snapshot.created_at} /> {snapshot.pinned && <i className="p-icon--pin" title="Pinned" />}
        <p>
          {[`snapshot, ${snapshot.origin}`, snapshot.policy, consistency(snapshot), snapshot.size > 0 ? bytes(snapshot.size) : "", snapshot.note].filter(Boolean).join(" · ")}
        </p>
      </div>
      <div className="line__actions">
        <button onClick={compare}>Compare</button>
        <button onClick={() => question({ verb: "restore", snapshot })}>Restore</button>
        {operator && <Pin title={snapshot.name} pinned={snapshot.pinned} pin={(pinned) => ask(api.PATCH("/v1/tenants/{name}/snapshots/{snapshot}", { params: { path: { name: snapshot.tenant, snapshot: snapshot.name } }, body: { pinned } }))} />}
        {operator && <button onClick={() => question({ verb: "delete", snapshot })}>Delete</button>}
      </div>
    </li>
  );
}

function BackupPoint({ backup, ask: question, compare }: { backup: Backup; ask: Ask; compare: () => void }) {
  const operator = useMay("operator");
  return (
    <li>
      <i className="p-icon--archive" title="Backup" />
      <div>
        <strong className="mono">{backup.id.slice(0, 12)}</strong> <Ago at={backup.taken_at} /> {backup.pinned && <i className="p-icon--pin" title="Pinned" />}
        <p>
          {["backup", backup.policy, consistency(backup), `${bytes(backup.size)} in ${count(backup.files, "file")}`, `${bytes(backup.moved)} moved`, backup.note].filter(Boolean).join(" · ")}
        </p>
        {backup.damage !== undefined && <State tone="bad">{`damaged: ${backup.damage}`}</State>}
      </div>
      <div className="line__actions">
        <button onClick={compare}>Compare</button>
        {operator && (
          <>
            <button disabled={backup.damage !== undefined} onClick={() => question({ verb: "restore", backup })}>
              Restore
            </button>
            <Pin title={backup.id} pinned={backup.pinned} pin={(pinned) => ask(api.PATCH("/v1/backups/{id}", { params: { path: { id: backup.id } }, body: { pinned } }))} />
            <button onClick={() => question({ verb: "delete", backup })}>Delete</button>
          </>
        )}
      </div>
    </li>
  );
}

function consistency(point: Snapshot | Backup): string {
  if (point.consistency === "crash") return point.why === undefined ? "crash-consistent" : `crash-consistent: ${point.why}`;
  return point.held === undefined ? "application-consistent" : `application-consistent, held ${point.held}`;
}

function Pin({ title, pinned, pin }: { title: string; pinned: boolean; pin: (pinned: boolean) => Promise<unknown> }) {
  const { busy, act } = useAct();
  const verb = pinned ? "Unpin" : "Pin";
  return (
    <button disabled={busy} onClick={() => void act(`${verb} ${title}`, () => pin(!pinned))}>
      {verb}
    </button>
  );
}

function Sure({ question, onClose }: { question: Question; onClose: () => void }) {
  const { act } = useAct();
  if ("snapshot" in question) {
    const { snapshot, verb } = question;
    const path = { name: snapshot.tenant, snapshot: snapshot.name };
    if (verb === "delete") {
      const query = { force: snapshot.pinned };
      return (
        <Confirm
          title={`Delete the snapshot ${snapshot.name}?`}
          verb="Delete"
          lxc={[`delete ${snapshot.tenant}/${snapshot.name}`]}
          type={snapshot.name}
          onClose={onClose}
          onConfirm={() => act(`Delete ${snapshot.name}`, () => ask(api.DELETE("/v1/tenants/{name}/snapshots/{snapshot}", { params: { path, query } })))}
        >
          <p>{snapshot.tenant} cannot be brought back to it afterwards.</p>
        </Confirm>
      );
    }
    const restore = () => act(`Restore ${snapshot.tenant}`, () => ask(api.POST("/v1/tenants/{name}/snapshots/{snapshot}/restore", { params: { path, header: once() } })));
    return (
      <Confirm title={`Bring ${snapshot.tenant} back to ${snapshot.name}?`} verb="Restore" type={snapshot.tenant} lxc={[`restore ${snapshot.tenant} ${snapshot.name}`, "On ZFS that needs newer snapshots deleted; here they stay."]} onClose={onClose} onConfirm={restore}>
        <p>What was written since is gone from it. A safety snapshot is taken first, and newer snapshots stay.</p>
      </Confirm>
    );
  }
  const { backup, verb } = question;
  const params = { path: { id: backup.id } };
  if (verb === "delete") {
    const remove = () => act("Delete the backup", () => ask(api.DELETE("/v1/backups/{id}", { params: { ...params, query: { force: backup.pinned } } })));
    return (
      <Confirm title="Delete this backup?" verb="Delete" type={backup.tenant} onClose={onClose} onConfirm={remove}>
        <p>{backup.tenant} cannot be brought back to it afterwards.</p>
      </Confirm>
    );
  }
  const restore = () => act(`Restore ${backup.tenant}`, () => ask(api.POST("/v1/backups/{id}/restore", { params: { ...params, header: once() }, body: {} })));
  return (
    <Confirm title={`Bring ${backup.tenant} back to this backup?`} verb="Restore" type={backup.tenant} onClose={onClose} onConfirm={restore}>
      <p>Its present state is replaced by the backup’s.</p>
    </Confirm>
  );
}
