package tenants

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// runScript runs hookScript with sh, a hook and an ip command that print as given.
func runScript(t *testing.T, hook, ip string) (string, int) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "personalize")
	for file, body := range map[string]string{path: hook, filepath.Join(dir, "ip"): ip} {
		if body != "" {
			do(t, os.WriteFile(file, []byte("#!/bin/sh\n"+body+"\n"), 0o755))
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", hookScript, "sh", path)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "DIR="+dir)
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestHookScript(t *testing.T) {
	const v4 = `echo "2: eth0    inet 10.1.2.3/24 brd 10.1.2.255 scope global dynamic eth0"`
	tests := []struct {
		name, hook, ip string
		exit           int
		address        string
	}{
		{"hook and address", "echo done", v4, 0, "10.1.2.3"},
		{"no hook", "", v4, 0, "10.1.2.3"},
		{"hook fails", "echo broken; exit 7", v4, 7, ""},
		{"address comes later", "", `n=$(cat $DIR/n 2>/dev/null || echo 0); echo $((n + 1)) > $DIR/n; [ $n -lt 3 ] || ` + v4, 0, "10.1.2.3"},
		{"no ip command that works", "", "exit 127", 0, ""},
		{"only IPv6", "", `echo "2: eth0    inet6 fd00::1/64 scope global"`, 0, "fd00::1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, exit := runScript(t, tt.hook, tt.ip)
			if exit != tt.exit || toldAddress(out) != tt.address {
				t.Errorf("exit %d, address %q of %q; want %d, %q", exit, toldAddress(out), out, tt.exit, tt.address)
			}
		})
	}
}

func TestToldAddress(t *testing.T) {
	mark := func(lines ...string) string { return addressMark + strings.Join(lines, "\n"+addressMark) + "\n" }
	tests := []struct{ name, printed, want string }{
		{"nothing", "", ""},
		{"only the hook's words", "2: eth0    inet 10.0.0.1/24 scope global\n", ""},
		{"eth0 before a bridge", mark("3: docker0    inet 172.17.0.1/16 scope global docker0", "2: eth0    inet 10.0.0.1/24 scope global eth0"), "10.0.0.1"},
		{"IPv4 before IPv6", mark("2: eth0    inet6 fd00::1/64 scope global", "2: eth0    inet 10.0.0.1/24 scope global eth0"), "10.0.0.1"},
		{"another name", mark("2: enp5s0    inet 10.0.0.1/24 scope global"), "10.0.0.1"},
		{"cut short", mark("2: eth0", "", "2: eth0 inet ten"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := toldAddress(tt.printed); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// Whatever an instance prints, the result is an address or nothing.
func FuzzToldAddress(f *testing.F) {
	f.Add(addressMark + "2: eth0    inet 10.0.0.1/24 scope global eth0\n")
	f.Add(addressMark + "2: eth0 inet 10.0.0.1;rm/24\n")
	f.Fuzz(func(t *testing.T, printed string) {
		got := toldAddress(printed)
		if _, err := netip.ParseAddr(got); got != "" && err != nil {
			t.Fatalf("%q is no address", got)
		}
		if got != "" && !strings.Contains(printed, addressMark) {
			t.Fatalf("%q from %q", got, printed)
		}
	})
}

func TestTailKeepsTheEnd(t *testing.T) {
	var kept tail
	for range 3 {
		_, _ = kept.Write([]byte(strings.Repeat("x", tailSize)))
	}
	_, _ = kept.Write([]byte("end"))
	if s := kept.String(); len(s) != tailSize || !strings.HasSuffix(s, "xend") {
		t.Errorf("%d bytes kept, ending in %q", len(s), s[len(s)-4:])
	}
}
