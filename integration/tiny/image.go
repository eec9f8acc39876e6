// Package tiny makes the smallest image a system container boots from: one static busybox
// as init, DHCP client and web server, 2 MB in all. Tests that start hundreds of instances use
// it; it boots in a fifth of a second.
package tiny

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"time"
)

// applets are the programs of busybox the image links to.
var applets = []string{
	"sh", "cat", "echo", "ls", "mkdir", "rm", "mv", "cp", "ln", "chmod", "chown", "sleep", "ip", "ps", "kill", "init", "halt",
	"poweroff", "reboot", "udhcpc", "httpd", "ifconfig", "route", "hostname", "mount", "touch", "test", "[", "true", "false",
	"grep", "sed", "cut", "head", "tail", "tr", "od", "env", "id", "find", "sync", "truncate", "stat", "wc", "date", "seq", "sha256sum", "which", "tee", "basename", "dirname", "xargs", "sort", "awk", "printf", "tar", "timeout",
	"stty", "dd",
}

// The machine id of an instance is what the tests compare; systemd would make one.
var files = map[string]string{
	"metadata.yaml": "architecture: x86_64\ncreation_date: 1700000000\nproperties:\n  description: tiny test image\n  os: busybox\n  release: test\n" +
		"  lxdfleet.hooks: personalize,pre-snapshot\n  lxdfleet.health: '{\"port\":80,\"path\":\"/\",\"status\":200,\"body\":\"tenant=\",\"timeout_ns\":30000000000}'\n",
	"rootfs/etc/inittab": `::sysinit:/etc/boot
::respawn:/bin/httpd -f -p 80 -h /www
::shutdown:/bin/sync
`,
	"rootfs/etc/boot": `#!/bin/sh
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -b -t 20 -T 1 -s /etc/udhcpc.script -S >/dev/null 2>&1
`,
	"rootfs/etc/udhcpc.script": `#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr replace "$ip/${mask:-24}" dev "$interface"
[ -z "$router" ] || ip route replace default via "${router%% *}"
`,
	"rootfs/etc/passwd":     "root:x:0:0:root:/root:/bin/sh\n",
	"rootfs/etc/group":      "root:x:0:\n",
	"rootfs/www/index.html": "golden\n",
	"rootfs/usr/lib/lxdfleet/hooks/personalize": `#!/bin/sh
set -e
umask 077
[ -s /root/lxdfleet-credentials ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >/root/lxdfleet-credentials
[ -s /etc/machine-id ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >/etc/machine-id
umask 022
echo "tenant=$LXDFLEET_TENANT domain=$LXDFLEET_DOMAIN machine=$(cat /etc/machine-id)" >/www/index.html.new
mv /www/index.html.new /www/index.html
[ -z "$LXDFLEET_COPY" ] || echo "copy mail=$LXDFLEET_MAIL" >/www/copy.html
`,
	"rootfs/usr/lib/lxdfleet/hooks/pre-snapshot": `#!/bin/sh
: >/www/held
echo held
timeout "$LXDFLEET_LIMIT" cat >/dev/null
rm /www/held
exit 0
`,
}

// Write writes the image to w as a unified LXD tarball, gzip compressed; mark is a line in it,
// so that images of different marks have different fingerprints. It needs Debian's package
// busybox-static and says so when it is missing.
func Write(w io.Writer, mark string) error { return write(w, mark, added{}) }

// WriteSite is Write with a web server of one's own, a static program that serves /www on port 80.
func WriteSite(w io.Writer, mark string, server []byte) error {
	return write(w, mark, added{server: server})
}

// WriteLarge is Write with a file /ballast of so many bytes that no compression makes smaller.
func WriteLarge(w io.Writer, mark string, ballast int) error {
	content := make([]byte, ballast)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content) // never fails
	return write(w, mark, added{ballast: content})
}

// File is one that an image has besides.
type File struct {
	Path    string // below the root, without a first slash
	Mode    int64
	Content []byte
}

// WriteWith is Write with more files, and programs that init starts, and starts again, instead of
// the web server. patience is how long the image's health check waits.
func WriteWith(w io.Writer, mark string, extra []File, programs []string, patience time.Duration) error {
	return write(w, mark, added{files: extra, programs: programs, patience: patience})
}

// added is what an image has besides.
type added struct {
	server, ballast []byte
	files           []File
	programs        []string
	patience        time.Duration
}

func write(w io.Writer, mark string, more added) error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("find a static busybox (package busybox-static): %w", err)
	}
	binary, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	t := &writer{tar: tar.NewWriter(z)}
	for _, dir := range []string{"", "bin", "sbin", "etc", "dev", "proc", "sys", "root", "run", "tmp", "var", "var/log", "usr", "usr/bin", "usr/lib", "usr/lib/lxdfleet", "usr/lib/lxdfleet/hooks", "www"} {
		t.add(&tar.Header{Name: "rootfs/" + dir, Typeflag: tar.TypeDir, Mode: 0o755}, "")
	}
	t.add(&tar.Header{Name: "rootfs/bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755}, string(binary))
	for _, applet := range applets {
		t.add(&tar.Header{Name: "rootfs/bin/" + applet, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777}, "")
	}
	t.add(&tar.Header{Name: "rootfs/sbin/init", Typeflag: tar.TypeSymlink, Linkname: "../bin/busybox", Mode: 0o777}, "")
	for _, name := range []string{"env", "sh"} {
		t.add(&tar.Header{Name: "rootfs/usr/bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "../../bin/busybox", Mode: 0o777}, "")
	}
	t.add(&tar.Header{Name: "rootfs/etc/mark", Typeflag: tar.TypeReg, Mode: 0o644}, mark+"\n")
	if more.server != nil {
		t.add(&tar.Header{Name: "rootfs/bin/site", Typeflag: tar.TypeReg, Mode: 0o755}, string(more.server))
	}
	if more.ballast != nil {
		t.add(&tar.Header{Name: "rootfs/ballast", Typeflag: tar.TypeReg, Mode: 0o644}, string(more.ballast))
	}
	folders := map[string]bool{}
	for _, f := range more.files {
		t.parents(folders, f.Path)
		t.add(&tar.Header{Name: "rootfs/" + f.Path, Typeflag: tar.TypeReg, Mode: f.Mode}, string(f.Content))
	}
	for name, content := range files {
		switch {
		case more.server != nil:
			content = strings.Replace(content, "/bin/httpd -f -p 80 -h /www", "/bin/site", 1)
		case more.programs != nil:
			content = strings.Replace(content, "/bin/httpd -f -p 80 -h /www", strings.Join(more.programs, "\n::respawn:"), 1)
			content = strings.Replace(content, "30000000000", strconv.FormatInt(int64(more.patience), 10), 1)
		}
		t.add(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: modeOf(content)}, content)
	}
	return t.close(z)
}

// parents adds the folders above a path that the image does not have yet.
func (w *writer) parents(have map[string]bool, name string) {
	dir := path.Dir(name)
	if dir == "." || have[dir] {
		return
	}
	w.parents(have, dir)
	have[dir] = true
	w.add(&tar.Header{Name: "rootfs/" + dir, Typeflag: tar.TypeDir, Mode: 0o755}, "")
}

func modeOf(content string) int64 {
	if len(content) > 2 && content[:2] == "#!" {
		return 0o755
	}
	return 0o644
}

// writer adds entries until the first error.
type writer struct {
	tar *tar.Writer
	err error
}

func (w *writer) add(h *tar.Header, content string) {
	if w.err != nil {
		return
	}
	h.Size, h.ModTime = int64(len(content)), time.Unix(1_700_000_000, 0)
	if w.err = w.tar.WriteHeader(h); w.err == nil {
		_, w.err = io.WriteString(w.tar, content)
	}
}

func (w *writer) close(z *gzip.Writer) error {
	if w.err == nil {
		w.err = w.tar.Close()
	}
	if err := z.Close(); w.err == nil {
		w.err = err
	}
	return w.err
}
