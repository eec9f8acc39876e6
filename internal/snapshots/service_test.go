package snapshots

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

func TestCreateListEditDelete(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		ctx := t.Context()
		one := w.take("one")
		if one.Consistency != fleet.ConsistentApplication || one.Origin != fleet.OriginManual || one.JobID == "" || one.CreatedAt.IsZero() {
			t.Errorf("snapshot %+v", one)
		}
		job, err := w.service.Create(ctx, "acme", CreateRequest{Note: "by hour", Crash: true}, Once{Key: "k", Hash: "h"})
		w.want(fleet.JobDone, job, err)
		again, err := w.service.Create(ctx, "acme", CreateRequest{Note: "by hour", Crash: true}, Once{Key: "k", Hash: "h"})
		do(t, err)
		if again.ID != job.ID {
			t.Errorf("a repeat made another job: %s, %s", again.ID, job.ID)
		}
		_, err = w.service.Create(ctx, "acme", CreateRequest{}, Once{Key: "k", Hash: "other"})
		fails(t, err, fleet.Conflict)
		do(t, w.lxd.LxcSnapshot("acme", "by-hand"))
		all, err := w.service.List(ctx, "acme")
		do(t, err)
		if len(all) != 3 || all[1].Consistency != fleet.ConsistentCrash || !strings.Contains(all[1].Why, "asked for") || all[2].Origin != fleet.OriginLXC {
			t.Errorf("snapshots %+v", all)
		}
		_, err = w.service.Create(ctx, "acme", CreateRequest{Name: "by-hand"}, Once{})
		fails(t, err, fleet.Taken, "by-hand")

		edited, err := w.service.Edit(ctx, "acme", "by-hand", EditRequest{Pinned: new(true), Note: new("mine")})
		do(t, err)
		if !edited.Pinned || edited.Note != "mine" || edited.Origin != fleet.OriginLXC {
			t.Errorf("edited %+v", edited)
		}
		_, err = w.service.Delete(ctx, "acme", "by-hand", false, Once{})
		fails(t, err, fleet.Conflict, "pinned")
		job, err = w.service.Delete(ctx, "acme", "by-hand", true, Once{})
		w.want(fleet.JobDone, job, err)
		job, err = w.service.Delete(ctx, "acme", "one", false, Once{})
		w.want(fleet.JobDone, job, err)
		if names := w.names(); strings.Contains(names, "one") || strings.Contains(names, "by-hand") {
			t.Errorf("left: %s", names)
		}
		if records, err := w.store.Snapshots(ctx, w.acme.ID); err != nil || len(records) != 1 {
			t.Errorf("records %v, %v", records, err)
		}
	})
}

func TestRefusals(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		ctx := t.Context()
		create := func(name fleet.Name, req CreateRequest) error {
			_, err := w.service.Create(ctx, name, req, Once{})
			return err
		}
		fails(t, create("nobody", CreateRequest{}), fleet.NotFound, "nobody")
		for _, name := range []string{"a b", "-x", "ä", "x/y", strings.Repeat("x", 64)} {
			fails(t, create("acme", CreateRequest{Name: name}), fleet.Invalid, "name")
		}
		fails(t, create("acme", CreateRequest{Note: "bell\a"}), fleet.Invalid, "note")
		_, err := w.service.Restore(ctx, "acme", "none", Once{})
		fails(t, err, fleet.NotFound, "none")
		_, err = w.service.Delete(ctx, "acme", "none", false, Once{})
		fails(t, err, fleet.NotFound, "none")
		_, err = w.service.Files(ctx, "acme", "none", "/")
		fails(t, err, fleet.NotFound, "none")
		_, err = w.service.Files(ctx, "acme", "none", "etc")
		fails(t, err, fleet.Invalid, "path")

		w.lxd.Inject(lxdfake.Fault{Method: "EnsureSnapshot", Delay: time.Minute, Times: 1})
		job, err := w.service.Create(ctx, "acme", CreateRequest{Name: "slow"}, Once{})
		do(t, err)
		fails(t, create("acme", CreateRequest{Name: "next"}), fleet.Busy, job.ID, KindCreate)
		w.want(fleet.JobDone, job, nil)
		w.placed("gone", true)
		do(t, w.lxd.LxcDelete("gone"))
		time.Sleep(2 * time.Second)
		fails(t, create("gone", CreateRequest{}), fleet.Conflict, "missing")
	})
}

func TestPoolFull(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		w.lxd.SetPoolFull("n1", true)
		job, err := w.service.Create(t.Context(), "acme", CreateRequest{Name: "one"}, Once{})
		job = w.want(fleet.JobUndone, job, err)
		if job.ErrorCode != fleet.Exhausted {
			t.Errorf("error %s (%s)", job.Error, job.ErrorCode)
		}
		if names := w.names(); names != "" {
			t.Errorf("left behind: %s", names)
		}
		// The hook let go although the snapshot failed: another can hold.
		w.lxd.SetPoolFull("n1", false)
		w.take("two")
	})
}

func TestTenantDeletedMeanwhile(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		w.lxd.Inject(lxdfake.Fault{Method: "EnsureSnapshot", Delay: 10 * time.Second, Times: 1})
		job, err := w.service.Create(t.Context(), "acme", CreateRequest{Name: "one"}, Once{})
		do(t, err)
		time.Sleep(time.Second)
		do(t, w.lxd.LxcDelete("acme"))
		job = w.want(fleet.JobUndone, job, nil)
		if job.ErrorCode != fleet.NotFound {
			t.Errorf("error %s (%s)", job.Error, job.ErrorCode)
		}
	})
}

func TestFilesAndDiff(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.write("first")
		w.lxd.SetFile("acme", "/srv/old", []byte("x"))
		w.take("one")
		w.write("second, longer")
		w.lxd.RemoveFile("acme", "/srv/old")
		w.lxd.SetFile("acme", "/srv/new", nil)
		files, err := w.service.Files(ctx, "acme", "one", "/srv/")
		do(t, err)
		if len(files) != 2 || files[1].Path != "/srv/page" {
			t.Errorf("files %+v", files)
		}
		r, info, err := w.service.ReadFile(ctx, "acme", "one", "/srv/page")
		do(t, err)
		content, err := io.ReadAll(r)
		do(t, err)
		do(t, r.Close())
		if string(content) != "first" || info.Size != 5 {
			t.Errorf("%q, %+v", content, info)
		}
		_, _, err = w.service.ReadFile(ctx, "acme", "one", "/srv/nothing")
		fails(t, err, fleet.NotFound, "nothing")
		changes, err := w.service.Diff(ctx, "acme", "one", "")
		do(t, err)
		var got []string
		for _, c := range changes {
			got = append(got, c.Change+" "+c.Path)
		}
		if strings.Join(got, ", ") != "added /srv/new, removed /srv/old, changed /srv/page" {
			t.Errorf("changes %v", got)
		}
		// What was made to read goes when it is not used any more.
		w.service.Readers.sweep(ctx, time.Hour)
		list, err := w.lxd.Instances(ctx, false)
		do(t, err)
		if len(list) != 2 {
			t.Errorf("%d instances while a reader is kept", len(list))
		}
		time.Sleep(3 * time.Minute)
		w.service.Readers.sweep(ctx, 2*time.Minute)
		if list, err = w.lxd.Instances(ctx, false); err != nil || len(list) != 1 {
			t.Errorf("%d instances left, %v", len(list), err)
		}
	})
}
