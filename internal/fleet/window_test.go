package fleet

import (
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", s, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	tests := []struct{ window, now, want string }{
		{"02:00-05:00", "2026-11-22 01:00", "2026-11-22 02:00"},
		{"02:00-05:00", "2026-11-22 02:00", "2026-11-22 02:00"},
		{"02:00-05:00", "2026-11-22 04:59", "2026-11-22 04:59"},
		{"02:00-05:00", "2026-11-22 05:00", "2026-11-23 02:00"},
		{"22:30-04:00", "2026-11-22 03:00", "2026-11-22 03:00"},
		{"22:30-04:00", "2026-11-22 12:00", "2026-11-22 22:30"},
		{"sat,sun 22:30-04:00", "2026-11-23 03:00", "2026-11-23 03:00"}, // Monday: Sunday's
		{"sat,sun 22:30-04:00", "2026-11-23 05:00", "2026-11-28 22:30"},
		{"Wed 10:00-11:00", "2026-11-25 11:00", "2026-12-02 10:00"},
		{"02:30-03:30", "2026-03-28 12:00", "2026-03-29 03:30"}, // the hour is left out that night
		{"00:00-23:59", "2026-11-22 23:59", "2026-11-23 00:00"},
	}
	for _, tt := range tests {
		t.Run(tt.window+" at "+tt.now, func(t *testing.T) {
			w, err := ParseWindow(tt.window)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.Next(at(tt.now)); !got.Equal(at(tt.want)) {
				t.Errorf("%s, want %s", got, at(tt.want))
			}
		})
	}
	for _, bad := range []string{"", "2-5", "02:00", "02:00-02:00", "xyz 02:00-05:00", "25:00-26:00", "sat,sun", "02:00-05:00 sat"} {
		if w, err := ParseWindow(bad); CodeOf(err) != Invalid {
			t.Errorf("%q: %+v, %v", bad, w, err)
		}
	}
}
