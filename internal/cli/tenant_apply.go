package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// wantedTenant is one document of a file: what a tenant is to be like.
type wantedTenant struct {
	Name string `json:"name"`
	client.TenantPut
}

func (t *tool) tenantApply() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "apply -f FILE", Short: "Have tenants be as a file says: make them, or change what differs", Args: arguments(0, 0),
		Long: "Have tenants be as a file says: make those there are not, and change what differs. To repeat it is\n" +
			"safe. The file is YAML with name, image, plan, domains, labels, display_name, contact, policy,\n" +
			"time_zone, window, wishes and admin (email, name); what is left out stays as it is. Several tenants\n" +
			"are several documents, with a line --- between them. What a tenant cannot become, such as one of\n" +
			"another image, is refused with the way out.",
		Example: "  lxdfleet tenant apply -f acme.yaml\n  cat clients/*.yaml | lxdfleet tenant apply -f -",
	}
	w := t.waitFlags(c)
	c.Flags().StringVarP(&file, "file", "f", "", "`file` to read; - is standard input")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if file == "" {
			return usagef("-f is missing: give a file, or - for standard input")
		}
		wanted, err := t.readWanted(file)
		if err != nil {
			return err
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		names := make([]string, len(wanted))
		specs := map[string]client.TenantPut{}
		for i, one := range wanted {
			names[i], specs[one.Name] = one.Name, one.TenantPut
		}
		return t.each(c.Context(), names, func(name string) error { return t.apply(c.Context(), d, w, name, specs[name]) })
	}
	return c
}

// readWanted reads the documents of a file.
func (t *tool) readWanted(file string) (wanted []wantedTenant, err error) {
	var text []byte
	if file == "-" {
		text, err = io.ReadAll(t.In)
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the tenants: %w", err)
	}
	seen := map[string]bool{}
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var fields map[string]any
		if err := d.Decode(&fields); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, usagef("%s is not YAML: %v", file, err)
		}
		if len(fields) == 0 {
			continue // an empty document
		}
		one, err := strictly(fields)
		switch {
		case err != nil:
			return nil, usagef("%s: %v", file, err)
		case one.Name == "":
			return nil, usagef("%s: a tenant has no name", file)
		case seen[one.Name]:
			return nil, usagef("%s: the tenant %s is there twice", file, one.Name)
		}
		seen[one.Name] = true
		wanted = append(wanted, one)
	}
	if len(wanted) == 0 {
		return nil, usagef("%s has no tenant in it", file)
	}
	return wanted, nil
}

// strictly refuses fields that there are not.
func strictly(fields map[string]any) (one wantedTenant, err error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return one, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&one); err != nil {
		return one, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return one, nil
}

// apply puts one tenant, follows its job, and tells what came of it.
func (t *tool) apply(ctx context.Context, d *client.Daemon, w *waiting, name string, spec client.TenantPut) error {
	state, err := client.Decode[client.TenantState](d.PutTenant(ctx, name, nil, spec))
	if err != nil {
		return err
	}
	outcome := state.Outcome
	if state.Tenant == nil && state.Job != nil {
		if w.noWait {
			return t.print(state, func() error { _, err := fmt.Fprintln(t.Out, state.Job.Id); return err })
		}
		if _, err := t.follow(ctx, d, *state.Job); err != nil {
			return err
		}
		if state, err = client.Decode[client.TenantState](d.PutTenant(ctx, name, nil, spec)); err != nil {
			return err
		}
		state.Outcome = outcome // of all of it
	}
	return t.print(state, func() error { return t.applied(name, state) })
}

func (t *tool) applied(name string, state client.TenantState) error {
	words := map[client.TenantStateOutcome]string{
		client.TenantStateOutcomeCreated: "is made", client.TenantStateOutcomeChanged: "is changed", client.TenantStateOutcomeUnchanged: "is as it is to be",
	}
	at := ""
	if state.Url != "" {
		at = ", at " + state.Url
	}
	fmt.Fprintf(t.Out, "Tenant %s %s%s\n", name, words[state.Outcome], at)
	if c := state.Credentials; c != nil && c.Link != "" {
		fmt.Fprintf(t.Out, "Its first credentials, shown once, until %s: %s\n", t.ago(c.ExpiresAt), c.Link)
	}
	return nil
}

func (t *tool) tenantCredentials() *cobra.Command {
	var show bool
	c := &cobra.Command{
		Use: "credentials NAME", Short: "Print a link that shows a tenant's first credentials once", Args: arguments(1, 1),
		Long: "Print a link that shows, once, what the golden image wrote for a new tenant's people, such as a first\n" +
			"password. It is good for three days. With --show they are printed instead, and other links to them end.",
		ValidArgsFunction: t.words(1, tenantNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			made, err := client.Decode[client.Link](d.CreateCredentialsLink(c.Context(), args[0], nil))
			if err != nil {
				return err
			}
			if show {
				return t.showCredentials(c.Context(), d, made)
			}
			return t.print(made, func() error {
				fmt.Fprintf(t.Err, "It shows the first credentials of %s once, and ends %s:\n", args[0], t.ago(made.ExpiresAt))
				_, err := fmt.Fprintln(t.Out, made.Link)
				return err
			})
		},
	}
	c.Flags().BoolVar(&show, "show", false, "print the credentials themselves")
	return c
}

func (t *tool) showCredentials(ctx context.Context, d *client.Daemon, link client.Link) error {
	_, secret, _ := strings.Cut(link.Link, "#")
	found, err := client.Decode[client.Credentials](d.UseCredentialsLink(ctx, client.LinkCheck{Secret: secret}))
	if err != nil {
		return err
	}
	return t.print(found, func() error {
		_, err := fmt.Fprintln(t.Out, strings.TrimSuffix(printableLines(found.Text), "\n"))
		return err
	})
}
