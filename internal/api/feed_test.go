package api

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func newTestFeed(keep int) *Feed {
	return NewFeed(keep, func() time.Time { return time.UnixMilli(1_700_000_000_000).UTC() })
}

// publish sends events with the given subjects.
func publish(f *Feed, from, to int) {
	for i := from; i <= to; i++ {
		f.Publish(fleet.Event{Type: "tenant.changed", Subject: fmt.Sprint(i)})
	}
}

// received gives the subjects that wait in the subscription.
func received(s *Subscription) (subjects []string) {
	for {
		select {
		case e, open := <-s.Events():
			if !open {
				return append(subjects, "closed")
			}
			subjects = append(subjects, e.Subject)
		default:
			return subjects
		}
	}
}

func TestFeedResumes(t *testing.T) {
	f := newTestFeed(3)
	publish(f, 1, 5)
	tests := []struct {
		name, after string
		want        []string
		gap         bool
	}{
		{"from now", "", nil, false},
		{"from the latest", f.epoch + "-5", nil, false},
		{"from a kept one", f.epoch + "-3", []string{"4", "5"}, false},
		{"from just before the kept ones", f.epoch + "-2", []string{"3", "4", "5"}, false},
		{"from one that is gone", f.epoch + "-1", nil, true},
		{"from the future", f.epoch + "-6", nil, true},
		{"from another process", "zzz-4", nil, true},
		{"from nonsense", "???", nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := f.Subscribe(tt.after, 1)
			defer s.Close()
			if got := received(s); !slices.Equal(got, tt.want) || s.Gap != tt.gap {
				t.Errorf("got %v, gap %v", got, s.Gap)
			}
		})
	}
}

func TestFeedCutsOffTheSlow(t *testing.T) {
	f := newTestFeed(10)
	slow, fast := f.Subscribe("", 2), f.Subscribe("", 10)
	publish(f, 1, 4)
	if got := received(slow); !slices.Equal(got, []string{"1", "2", "closed"}) || !slow.Lost() {
		t.Errorf("slow got %v, lost %v", got, slow.Lost())
	}
	if got := received(fast); !slices.Equal(got, []string{"1", "2", "3", "4"}) || fast.Lost() {
		t.Errorf("fast got %v", got)
	}
	fast.Close()
	fast.Close()
	slow.Close()
	publish(f, 5, 5)
	if len(f.subs) != 0 {
		t.Errorf("%d subscriptions are left", len(f.subs))
	}
}
