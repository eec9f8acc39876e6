package app

import (
	"context"
	"log/slog"

	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/setup"
)

// reachFindings tries whether instances are reached as the configuration says. Without LXD there is
// nothing to say: another check tells that.
func reachFindings(ctx context.Context, cfg config.Config) []setup.Finding {
	log := slog.New(slog.DiscardHandler)
	lxd, err := connect(ctx, cfg, log, false)
	if err != nil {
		return nil
	}
	defer lxd.Close()
	var findings []setup.Finding
	for _, v := range withWays(lxd, cfg, log).ways.Examine(ctx) {
		findings = append(findings, setup.Finding{Check: v.Check, State: setup.State(v.State), Message: v.Message, Hint: v.Hint})
	}
	return findings
}
