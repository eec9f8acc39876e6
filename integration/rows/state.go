package rows

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Dump prints a tenant's state for Read: SQL for `mariadb --skip-column-names wordpress`. A load
// may go on beside it: the log, which follows the commits, is read before them, and they are read
// as they are at one moment.
const Dump = `SELECT 'log', writer, seq FROM load_log;
START TRANSACTION WITH CONSISTENT SNAPSHOT;
SELECT 'row', writer, seq, part, seen, version, payload, sum FROM load_rows;
SELECT 'last', writer, seq FROM load_last;
SELECT 'end';
`

// Row is one row of load_rows. A transaction makes three, its parts 0, 1 and 2.
type Row struct {
	Writer, Seq, Part int
	Seen              int // the tick it was sent at
	Version           int // how often it was changed
	Payload, Sum      string
}

func (r Row) key() key { return key{r.Writer, r.Seq} }

// Reckon gives what Sum has to be; rows.php reckons it too.
func (r Row) Reckon() string {
	h := sha256.Sum256(fmt.Appendf(nil, "%d %d %d %d %d %s", r.Writer, r.Seq, r.Part, r.Seen, r.Version, r.Payload))
	return hex.EncodeToString(h[:])
}

// State is what a tenant's database holds of the load.
type State struct {
	Rows []Row
	Last map[int]int // by writer
	Log  []key
}

// Read reads what Dump printed. It fails unless it reads it to its end.
func Read(r io.Reader) (State, error) {
	s := State{Last: map[int]int{}}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Split(strings.TrimSuffix(lines.Text(), "\r"), "\t")
		if fields[0] == "end" {
			return s, nil
		}
		if err := s.take(fields); err != nil {
			return s, fmt.Errorf("read the rows: %q: %w", lines.Text(), err)
		}
	}
	if err := lines.Err(); err != nil {
		return s, fmt.Errorf("read the rows: %w", err)
	}
	return s, fmt.Errorf("the rows break off after %d", len(s.Rows))
}

func (s *State) take(fields []string) error {
	counts := map[string]int{"row": 5, "last": 2, "log": 2}
	n := counts[fields[0]]
	if n == 0 || len(fields) < 1+n || fields[0] == "row" && len(fields) != 8 {
		return fmt.Errorf("not a line of the dump")
	}
	numbers := make([]int, n)
	for i := range numbers {
		var err error
		if numbers[i], err = strconv.Atoi(fields[1+i]); err != nil {
			return err
		}
	}
	switch fields[0] {
	case "row":
		s.Rows = append(s.Rows, Row{numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], fields[6], fields[7]})
	case "last":
		s.Last[numbers[0]] = numbers[1]
	default:
		s.Log = append(s.Log, key{numbers[0], numbers[1]})
	}
	return nil
}
