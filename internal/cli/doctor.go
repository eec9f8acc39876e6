package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Say what is wrong and how to mend it", Args: arguments(0, 0),
		Long: "Check LXD, the store, the proxy and this machine. The daemon does it where it runs; else the\n" +
			"checks that need none are done here. The exit code is 1 when a check fails.",
		RunE: func(c *cobra.Command, _ []string) error {
			findings, err := t.findings(c.Context())
			if err != nil {
				return err
			}
			if err := t.print(findings, func() error { return t.printFindings(findings) }); err != nil {
				return err
			}
			for _, f := range findings {
				if f.State == client.FindingStateFail {
					return errSaid
				}
			}
			return nil
		},
	}
}

func (t *tool) findings(ctx context.Context) ([]client.Finding, error) {
	d, err := t.daemon()
	if err != nil {
		return nil, err
	}
	list, err := client.Decode[client.FindingList](d.GetDoctor(ctx))
	if !errors.Is(err, client.ErrUnreachable) {
		return list.Items, err
	}
	cfg, err := t.settings()
	if err != nil {
		return nil, err
	}
	findings := []client.Finding{}
	for _, f := range t.app.Doctor(ctx, cfg) {
		findings = append(findings, client.Finding{Check: f.Check, State: client.FindingState(f.State), Message: f.Message, Hint: f.Hint})
	}
	return findings, nil
}

func (t *tool) printFindings(findings []client.Finding) error {
	for _, f := range findings {
		fmt.Fprintf(t.Out, "%-4s  %s: %s\n", f.State, printable(f.Check), printable(f.Message))
		if f.Hint != "" {
			fmt.Fprintf(t.Out, "      Hint: %s\n", printable(f.Hint))
		}
	}
	return nil
}
