package snapshots

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// A server that refuses is told as such, and not as one that is slow.
func TestDatabaseThatRefuses(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	do(t, err)
	address := server.Addr().String()
	do(t, server.Close()) // nobody listens there
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User = "tcp", address, "lxdfleet"
	_, err = lockMySQL(t.Context(), cfg, 10*time.Second)
	if err == nil || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "did not give the lock") {
		t.Errorf("it says %v", err)
	}
}
