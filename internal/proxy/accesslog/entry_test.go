package accesslog

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestEntry(t *testing.T) {
	e := &Entry{
		Time: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.FixedZone("", 3600)), Tenant: "acme", Host: "acme.example", Method: "GET",
		Path: `/a"b\c`, Proto: "HTTP/2.0", Status: 200, In: 1, Out: 2, Took: 1234567 * time.Microsecond, FirstByte: 100 * time.Millisecond,
		Held: 2 * time.Second, Client: "192.0.2.1", Backend: "10.0.0.1:80", Tries: 3, Whole: true, RequestID: "abc",
	}
	want := `{"time":"2026-03-01T11:00:00.005Z","tenant":"acme","host":"acme.example","method":"GET","path":"/a\"b\\c","proto":"HTTP/2.0",` +
		`"status":200,"bytes":2,"received":1,"took":1.234567,"first_byte":0.1,"held":2,"client":"192.0.2.1","backend":"10.0.0.1:80",` +
		`"tries":3,"whole":true,"request_id":"abc"}` + "\n"
	if got := string(e.append(nil)); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	e.Path = strings.Repeat("ü", 1<<16)
	if n := len(e.append(nil)); n > longest+1000 {
		t.Errorf("a line of %d bytes", n)
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", -1: "0", time.Microsecond: "0.000001", 999: "0", 1500 * time.Millisecond: "1.5", time.Hour: "3600", 10 * time.Millisecond: "0.01",
	} {
		if got := string(appendSeconds(nil, d)); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// Whatever a client sends, the line is one line of JSON that says the same.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "/a?b", "\x00\n\x7f\x1b[2J", "\xff\xc3", "ü\u2028", `"\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line := appendText(nil, s)
		for _, c := range line {
			if c < ' ' || c == 0x7f {
				t.Fatalf("%q has control characters", line)
			}
		}
		var got string
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if utf8.ValidString(s) && len(s) <= longest && got != s {
			t.Errorf("%q became %q", s, got)
		}
	})
}
