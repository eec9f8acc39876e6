package cli

import (
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) eventsCommand() *cobra.Command {
	var p client.StreamEventsParams
	c := &cobra.Command{
		Use: "events", Short: "Show what happens in the fleet, as it happens", Args: arguments(0, 0),
		Long: "Show what happens in the fleet, as it happens, until Ctrl-C. With -o json each event is one line.",
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			body, err := client.Open(d.StreamEvents(c.Context(), &p))
			if err != nil {
				return err
			}
			defer body.Close()
			for m, err := range client.Messages(body) {
				if c.Context().Err() != nil {
					return nil // Ctrl-C is how it ends
				}
				if err == nil {
					err = t.printEvent(m)
				}
				if err != nil {
					return err
				}
			}
			if c.Context().Err() != nil {
				return nil
			}
			return fmt.Errorf("%w: it closed the stream", client.ErrUnreachable)
		},
	}
	c.Flags().StringSliceVar(&p.Type, "type", nil, "only these `types`; one that ends in a dot is a prefix, such as tenant.")
	c.Flags().StringVar(&p.Subject, "subject", "", "only about this `subject`, such as tenant/acme")
	return c
}

func (t *tool) printEvent(m client.Message) error {
	if t.output == "json" {
		_, err := fmt.Fprintln(t.Out, m.Data)
		return err
	}
	if t.output == "yaml" {
		text, err := yaml.JSONToYAML([]byte(m.Data))
		if err != nil {
			return fmt.Errorf("write the event: %w", err)
		}
		_, err = fmt.Fprintf(t.Out, "---\n%s", text)
		return err
	}
	var e client.Event
	if err := json.Unmarshal([]byte(m.Data), &e); err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	data := ""
	if e.Data != nil {
		text, err := json.Marshal(e.Data)
		if err != nil {
			return fmt.Errorf("write the event: %w", err)
		}
		data = string(text)
	}
	_, err := fmt.Fprintln(t.Out, printable(fmt.Sprintf("%s  %-16s %-24s %s", e.At.Local().Format("15:04:05"), e.Type, e.Subject, data)))
	return err
}
