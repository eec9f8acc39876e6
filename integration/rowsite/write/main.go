// Command write writes an image of rowsite and this machine's MariaDB, with an empty database, to
// standard output. Its argument is the program rowsite. No network is needed, and little time: it
// is for where a whole system would take minutes to boot.
package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/tiny"
)

const (
	server = "/usr/sbin/mariadbd"
	words  = "/usr/share/mysql"
	small  = "--innodb-log-file-size=4M --innodb-buffer-pool-size=16M --innodb-use-native-aio=0 --innodb-flush-method=fsync"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: write ROWSITE")
	}
	files, err := gather(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	programs := []string{
		server + " --no-defaults --user=root --datadir=/var/lib/mysql --socket=/run/mysqld.sock --tmpdir=/tmp --skip-name-resolve " + small,
		"/bin/rowsite",
	}
	if err := tiny.WriteWith(os.Stdout, "rows", files, programs, 5*time.Minute); err != nil {
		log.Fatal(err)
	}
}

// gather reads what is in the image besides the tiny one.
func gather(rowsite string) ([]tiny.File, error) {
	files := []tiny.File{
		{Path: "etc/lxdfleet/quiesce.cnf", Mode: 0o600, Content: []byte("[client]\nuser=quiesce\npassword=still\n")},
	}
	add := func(from, to string, mode int64) error {
		content, err := os.ReadFile(from)
		files = append(files, tiny.File{Path: strings.TrimPrefix(to, "/"), Mode: mode, Content: content})
		return err
	}
	if err := add(rowsite, "/bin/rowsite", 0o755); err != nil {
		return nil, err
	}
	programs, err := needed(server)
	if err != nil {
		return nil, err
	}
	for _, file := range programs {
		if err := add(file, file, 0o755); err != nil {
			return nil, err
		}
	}
	if err := tree(filepath.Join(words, "english"), filepath.Join(words, "english"), add); err != nil {
		return nil, err
	}
	if err := tree(filepath.Join(words, "charsets"), filepath.Join(words, "charsets"), add); err != nil {
		return nil, err
	}
	data, err := install()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(data)
	return files, tree(data, "/var/lib/mysql", add)
}

// needed lists a program and the libraries it is linked to.
func needed(program string) ([]string, error) {
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		return nil, fmt.Errorf("ldd %s (package mariadb-server): %w", program, err)
	}
	found := []string{program}
	for line := range strings.Lines(string(out)) {
		for word := range strings.FieldsSeq(line) {
			if filepath.IsAbs(word) {
				found = append(found, word)
			}
		}
	}
	return found, nil
}

// install makes the folder of an empty database.
func install() (string, error) {
	dir, err := os.MkdirTemp("", "lxdfleet-rows-")
	if err != nil {
		return "", err
	}
	var said bytes.Buffer
	cmd := exec.Command("mariadb-install-db", append([]string{
		"--no-defaults", "--user=root", "--datadir=" + dir, "--auth-root-authentication-method=normal", "--skip-test-db",
	}, strings.Fields(small)...)...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return dir, fmt.Errorf("mariadb-install-db: %w: %s", err, said.String())
	}
	return dir, nil
}

func tree(from, to string, add func(from, to string, mode int64) error) error {
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		below, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		return add(file, filepath.Join(to, below), 0o644)
	})
}
