package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) memberCommand() *cobra.Command {
	return t.group("member", "LXD servers of the cluster: list, show, cordon, drain, restore, …",
		t.memberList(), t.memberShow(), t.memberCordon(), t.memberUncordon(), t.memberLabel(), t.memberDrain(), t.memberRestore())
}

func (t *tool) memberList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List members", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.MemberList](d.ListMembers(c.Context()))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, m := range list.Items {
					cpus := ""
					if m.Cpus > 0 {
						cpus = strconv.Itoa(m.Cpus)
					}
					rows[i] = []string{
						m.Name, memberState(m), strconv.Itoa(m.Tenants), cpus, used(m.MemoryUsed, m.MemoryTotal), used(m.PoolUsed, m.PoolTotal),
						pairs(m.Labels), m.Address, m.Message,
					}
				}
				return t.printTable([]string{"NAME", "STATE", "TENANTS", "CPUS", "MEMORY", "POOL", "LABELS", "ADDRESS", "MESSAGE"}, rows)
			})
		},
	}
}

// memberState is LXD's word, and whether it is cordoned.
func memberState(m client.Member) string {
	state := strings.ToLower(m.Status)
	if m.Cordoned {
		state += ", cordoned"
	}
	return state
}

func (t *tool) memberShow() *cobra.Command {
	return &cobra.Command{
		Use: "show MEMBER", Short: "Show a member", Args: arguments(1, 1), ValidArgsFunction: t.words(1, memberNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			m, err := client.Decode[client.Member](d.GetMember(c.Context(), args[0]))
			if err != nil {
				return err
			}
			return t.print(m, func() error { return t.printMember(m) })
		},
	}
}

func (t *tool) printMember(m client.Member) error {
	cordoned, load, cpus := "", "", ""
	if m.Cordoned {
		cordoned = strings.TrimSuffix("yes: "+m.Reason, ": ")
	}
	if m.Load != nil {
		load = fmt.Sprintf("%.2f", *m.Load)
	}
	if m.Cpus > 0 {
		cpus = strconv.Itoa(m.Cpus)
	}
	return t.printFields(
		"Name", m.Name, "State", strings.ToLower(m.Status), "Message", m.Message, "Address", m.Address,
		"Cordoned", cordoned, "Labels", pairs(m.Labels), "Groups", strings.Join(m.Groups, ", "),
		"Failure domain", m.FailureDomain, "Roles", strings.Join(m.Roles, ", "),
		"CPUs", cpus, "Load", load, "Memory", used(m.MemoryUsed, m.MemoryTotal), "Pool", used(m.PoolUsed, m.PoolTotal),
		"Tenants", strconv.Itoa(m.Tenants),
		"Promised CPUs", promised(strconv.FormatFloat(m.Reserved.Cpu, 'f', -1, 64), m.Level.Cpu),
		"Promised memory", promised(humanSize(m.Reserved.Memory), m.Level.Memory),
		"Promised disk", promised(humanSize(m.Reserved.Disk), m.Level.Disk),
	)
}

// promised writes what plans promise, and how much that is of what may be promised.
func promised(amount string, percent float64) string {
	if percent == 0 || amount == "" {
		return strings.TrimPrefix(amount, "0")
	}
	return fmt.Sprintf("%s (%.0f %% of what may be)", amount, percent)
}

func (t *tool) memberCordon() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "cordon MEMBER... [flags]", Short: "Place no tenants on members any more", Args: arguments(1, -1),
		Long:              "Place no tenants on members any more, and move none there. What is there stays and is served on.",
		ValidArgsFunction: t.words(-1, memberNames),
	}
	c.Flags().StringVar(&reason, "reason", "", "`text` for those who wonder why")
	c.RunE = func(c *cobra.Command, args []string) error {
		return t.editMembers(c, args, client.MemberEdit{Cordoned: new(true), Reason: &reason}, "is cordoned")
	}
	return c
}

func (t *tool) memberUncordon() *cobra.Command {
	return &cobra.Command{
		Use: "uncordon MEMBER...", Short: "Place tenants on members again", Args: arguments(1, -1), ValidArgsFunction: t.words(-1, memberNames),
		RunE: func(c *cobra.Command, args []string) error {
			return t.editMembers(c, args, client.MemberEdit{Cordoned: new(false)}, "is open for tenants again")
		},
	}
}

func (t *tool) memberLabel() *cobra.Command {
	return &cobra.Command{
		Use: "label MEMBER KEY=VALUE...", Short: "Label a member", Args: arguments(2, -1), ValidArgsFunction: t.words(1, memberNames),
		Long: "Label a member, for tenants that require or prefer members with a label. An empty value takes\n" +
			"the label away. The labels name, group, failure-domain and role are LXD's own.",
		Example: "  lxdfleet member label n1 disk=nvme rack=",
		RunE: func(c *cobra.Command, args []string) error {
			labels, err := parsePairs("label", args[1:])
			if err != nil {
				return err
			}
			return t.editMembers(c, args[:1], client.MemberEdit{Labels: labels}, "is labelled")
		},
	}
}

// editMembers changes each of the members, and stops at the first that cannot be.
func (t *tool) editMembers(c *cobra.Command, names []string, edit client.MemberEdit, now string) error {
	d, err := t.daemon()
	if err != nil {
		return err
	}
	var done []client.Member
	for _, name := range names {
		m, err := client.Decode[client.Member](d.EditMember(c.Context(), name, nil, edit))
		if err != nil {
			return err
		}
		if done = append(done, m); t.output == "table" {
			fmt.Fprintf(t.Out, "Member %s %s\n", m.Name, now)
		}
	}
	return t.print(done, func() error { return nil })
}

// used writes how much of something is in use; nothing where it is not known.
func used(part, total int64) string {
	if total == 0 {
		return ""
	}
	return humanSize(part) + " of " + humanSize(total)
}
