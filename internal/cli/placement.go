package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) placementCommand() *cobra.Command {
	return t.group("placement", "Which member a tenant lives on: explain", t.placementExplain())
}

func (t *tool) placementExplain() *cobra.Command {
	var req client.ExplainRequest
	var labels []string
	c := &cobra.Command{
		Use: "explain [TENANT] [flags]", Short: "Tell where a tenant would be placed now, and why", Args: arguments(0, 1),
		Long: "Tell where a tenant would be placed now, and why: of one that there is, or, as the flags say, of\n" +
			"one that is not made yet. It changes nothing.",
		Example:           "  lxdfleet placement explain acme\n  lxdfleet placement explain --plan large --label client=acme --require disk=nvme",
		ValidArgsFunction: t.words(1, tenantNames),
	}
	f := c.Flags()
	f.StringVar(&req.Plan, "plan", "", "`plan` of a tenant not made yet")
	f.StringArrayVar(&labels, "label", nil, "label of a tenant not made yet, `key=value`; may be repeated")
	f.StringVar(&req.Image, "image", "", "golden image of a tenant not made yet, `name` or name/version")
	f.StringVar(&req.Member, "member", "", "the only `member` in question")
	wishFlags(f, &req.Wishes)
	complete(c, "plan", t.words(-1, planNames))
	complete(c, "image", t.words(-1, imageNames))
	complete(c, "member", t.words(-1, memberNames))
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		for _, flag := range []string{"plan", "label", "image", "require", "prefer", "apart", "together"} {
			if len(args) > 0 && f.Changed(flag) {
				return usagef("--%s is for a tenant that is not made yet; %s has its own", flag, args[0])
			}
		}
		if req.Labels, err = parsePairs("label", labels); err != nil {
			return err
		}
		if len(args) > 0 {
			req.Tenant = args[0]
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		x, err := client.Decode[client.Explanation](d.ExplainPlacement(c.Context(), nil, req))
		if err != nil {
			return err
		}
		return t.print(x, func() error { return t.printExplanation(req.Tenant, x) })
	}
	return c
}

// wishFlags adds the flags for a tenant's wishes but for pinning.
func wishFlags(f *pflag.FlagSet, w *client.Wishes) {
	f.StringSliceVar(&w.Require, "require", nil, "label `key=value` that its member must have; may be repeated")
	f.StringSliceVar(&w.Prefer, "prefer", nil, "label `key=value` that its member should have; may be repeated")
	f.StringSliceVar(&w.Apart, "apart", nil, "`tenant`, or tenants with a label key=value, that it shares no member with; may be repeated")
	f.StringSliceVar(&w.Together, "together", nil, "`tenant`, or tenants with a label key=value, that it shares its member with; may be repeated")
}

func (t *tool) printExplanation(tenant string, x client.Explanation) error {
	rows := make([][]string, len(x.Verdicts))
	for i, v := range x.Verdicts {
		score, why := "", v.Reason
		if v.Fits {
			score, why = fmt.Sprintf("%.1f", v.Score), scored(v.Parts)
		}
		rows[i] = []string{v.Member, score, v.Filter, why}
	}
	if err := t.printTable([]string{"MEMBER", "SCORE", "REJECTED BY", "WHY"}, rows); err != nil {
		return err
	}
	who := "It"
	if tenant != "" {
		who = tenant
	}
	if x.Member == "" {
		_, err := fmt.Fprintf(t.Out, "%s would be placed nowhere; %s\n", who, x.Hint)
		return err
	}
	now := ""
	if x.Location != "" {
		now = ", and is on " + x.Location + " now"
	}
	_, err := fmt.Fprintf(t.Out, "%s would be placed on %s (%s)%s\n", who, x.Member, x.Strategy, now)
	return err
}

// scored writes what a score is made of.
func scored(parts []client.ScorePart) string {
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = fmt.Sprintf("%s %.1f", p.Name, p.Points)
	}
	return strings.Join(words, " + ")
}

// wishes writes what a tenant wishes of its member.
func wishes(w *client.Wishes) string {
	if w == nil {
		return ""
	}
	var words []string
	for _, list := range []struct {
		what  string
		items []string
	}{{"require", w.Require}, {"prefer", w.Prefer}, {"apart from", w.Apart}, {"together with", w.Together}} {
		if len(list.items) > 0 {
			words = append(words, list.what+" "+strings.Join(list.items, ", "))
		}
	}
	if w.Pinned {
		words = append(words, "pinned")
	}
	return strings.Join(words, "; ")
}
