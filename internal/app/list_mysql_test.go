//go:build integration

package app

import (
	"testing"

	"github.com/lxdfleet/lxdfleet/integration/mariadb"
)

func TestListOfManyTenantsOnMariaDB(t *testing.T) {
	db := mariadb.Start(t)
	testListOfMany(t, db.Database())
}
