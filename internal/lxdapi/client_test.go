package lxdapi_test

import (
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdcontract"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

var (
	_ lxdcontract.LXD = (*lxdapi.Client)(nil)
	_ lxdcontract.LXD = (*lxdfake.LXD)(nil)
)
