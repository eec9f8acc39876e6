package backups

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/hooks"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// askScript asks the application inside its instance, which has no network, by what there is to
// ask with, and prints the answer with its status line. Arguments: hook, port, path, host.
const askScript = `exec 2>&1
hook=$1 port=$2 path=$3 host=$4
ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null
if [ -x "$hook" ]; then "$hook" && echo lxdfleet-hook-passed; exit; fi
url="http://127.0.0.1:$port$path"
if command -v curl >/dev/null; then
	exec curl -sS -i --max-time 10 -H "Host: $host" -H "X-Forwarded-Proto: https" "$url"
elif command -v python3 >/dev/null; then
	exec python3 -c '
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
c.request("GET", sys.argv[2], headers={"Host": sys.argv[3], "X-Forwarded-Proto": "https"})
r = c.getresponse()
print("HTTP/1.1", r.status, r.reason)
print()
sys.stdout.flush()
sys.stdout.buffer.write(r.read(1 << 20))' "$port" "$path" "$host"
elif command -v bash >/dev/null; then
	exec bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" &&
		printf "GET %s HTTP/1.0\r\nHost: %s\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n" "$2" "$3" >&3 && cat <&3' bash "$port" "$path" "$host"
elif command -v nc >/dev/null; then
	printf 'GET %s HTTP/1.0\r\nHost: %s\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n' "$path" "$host" | nc 127.0.0.1 "$port"
elif command -v wget >/dev/null; then
	exec wget -q -S -O - -T 10 --header "Host: $host" --header "X-Forwarded-Proto: https" "$url" 2>&1
else
	echo "there is nothing to ask with: neither curl, python3, bash, nc nor wget" >&2
	exit 127
fi`

// databaseScript has a database looked through: by the image's own hook, or MariaDB's and MySQL's
// tools where a server of theirs runs. It says what it did on its last line. Argument: hook.
// Errors go where the rest goes: of two streams LXD does not keep the order, and the last line is
// what people are shown.
const databaseScript = `exec 2>&1
hook=$1
if [ -x "$hook" ]; then "$hook" || exit 1; echo "lxdfleet-database: hook"; exit 0; fi
running() { for p in /proc/[0-9]*/comm; do read -r name <"$p" 2>/dev/null && case $name in mariadbd|mysqld) return 0 ;; esac; done; return 1; }
running || { echo "lxdfleet-database: none"; exit 0; }
for tool in mariadb-check mysqlcheck; do
	if command -v $tool >/dev/null; then
		out=$($tool --all-databases --check --medium-check 2>&1) || { echo "$out"; exit 1; }
		bad=$(echo "$out" | grep -iE '(^|[[:space:]])(error|corrupt|warning[[:space:]]*:)' || true)
		if [ -n "$bad" ]; then echo "$bad"; exit 1; fi
		echo "lxdfleet-database: $tool, $(echo "$out" | grep -c 'OK$') tables"
		exit 0
	fi
done
echo "lxdfleet-database: unread"`

// drillCheck waits for the restored application to be well, and then has its database looked
// through.
func (c *crew) drillCheck(ctx context.Context, run *jobs.Run, s *drillState) error {
	if s.failed() {
		return nil
	}
	err := c.drillHealth(ctx, run, s)
	if err == nil {
		s.Ready = c.Now()
	} else if fleet.CodeOf(err) == fleet.Unhealthy {
		hooks.Autopsy(ctx, c.LXD, drillName(run.JobID), run.Output())
	}
	if err := s.outcome(ctx, "health", err); err != nil || s.failed() {
		return err
	}
	return c.drillDatabase(ctx, run, s)
}

func (c *crew) drillHealth(ctx context.Context, run *jobs.Run, s *drillState) error {
	check := s.Kept.Tenant.Health
	if check.Port == 0 {
		check = fleet.DefaultHealth()
	}
	bounded, cancel := context.WithTimeout(ctx, check.Timeout)
	defer cancel()
	var last error
	for {
		err := c.ask(bounded, drillName(run.JobID), s.Kept.Tenant, check)
		if err == nil {
			return nil
		}
		if bounded.Err() == nil || last == nil {
			last = err
		}
		if pause(bounded, 500*time.Millisecond) != nil {
			break
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fleet.Errorf(fleet.Unhealthy, "it was not well within %s: %w", check.Timeout, last)
}

var statusLine = regexp.MustCompile(`HTTP/[0-9.]+ ([0-9]{3})`)

// ask asks the restored application once whether it is well.
func (c *crew) ask(ctx context.Context, instance string, t fleet.Tenant, check fleet.HealthCheck) error {
	host := cmp.Or(t.Primary().String(), "localhost")
	exit, out, err := c.inside(ctx, instance, "sh", "-c", askScript, "sh", fleet.HookDir+"/health", strconv.Itoa(check.Port), check.Path, host)
	switch {
	case err != nil:
		return err
	case strings.Contains(out, "lxdfleet-hook-passed"):
		return nil
	}
	status := statusLine.FindStringSubmatch(out)
	if status == nil {
		return fmt.Errorf("no answer (exit code %d): %s", exit, lastLine(out))
	}
	code, _ := strconv.Atoi(status[1])
	if !check.Accepts(code) {
		return fmt.Errorf("GET %s answers %d", check.Path, code)
	}
	if !strings.Contains(out, check.Body) {
		return fmt.Errorf("the answer of GET %s does not contain %q", check.Path, check.Body)
	}
	return nil
}

func (c *crew) drillDatabase(ctx context.Context, run *jobs.Run, s *drillState) error {
	run.Progress(fleet.Progress{Message: "looking through the database"})
	exit, out, err := c.inside(ctx, drillName(run.JobID), "sh", "-c", databaseScript, "sh", fleet.HookDir+"/check")
	if err == nil && exit != 0 {
		_, _ = fmt.Fprintf(run.Output(), "The check of the database says:\n%s\n", out)
		err = fleet.Errorf(fleet.Failed, "%s", lastLine(out))
	}
	_, told, _ := strings.Cut(out, "lxdfleet-database: ")
	switch told = strings.TrimSpace(told); {
	case err == nil && told == "none":
		s.Checks = append(s.Checks, "database: there is none")
		return nil
	case err == nil && told == "unread":
		s.Checks = append(s.Checks, "database: not looked through, the image has no tool for it")
		return nil
	case err == nil:
		return s.outcome(ctx, "database ("+told+")", nil)
	}
	return s.outcome(ctx, "database", err)
}

// mostOutput is how much is kept of what a check prints.
const mostOutput = 1 << 20

// inside runs a command in an instance, for ten minutes at most, and gives what it printed.
func (c *crew) inside(ctx context.Context, instance string, command ...string) (exit int, out string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	printed := &head{}
	exit, err = hooks.Run(ctx, c.LXD, instance, hooks.Command{Args: command, Output: printed})
	return exit, printed.String(), err
}

// head keeps the beginning of what is written to it.
type head struct{ bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	if room := mostOutput - h.Len(); room > 0 {
		_, _ = h.Buffer.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

// lastLine is the end of what a command printed, for people.
func lastLine(out string) string {
	out = strings.TrimSpace(out)
	line := out[strings.LastIndexByte(out, '\n')+1:]
	if line == "" {
		return "it printed nothing"
	}
	return strings.ToValidUTF8(line[:min(len(line), 300)], "?")
}
