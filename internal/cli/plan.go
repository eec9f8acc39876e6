package cli

import (
	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) planCommand() *cobra.Command {
	return t.group("plan", "Plans a tenant can have: list", &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List plans", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.PlanList](d.ListPlans(c.Context()))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, p := range list.Items {
					rows[i] = []string{p.Name, p.Cpu, p.Memory, p.Disk, p.Processes, yesNo(p.Default), p.Description}
				}
				return t.printTable([]string{"NAME", "CPU", "MEMORY", "DISK", "PROCESSES", "DEFAULT", "DESCRIPTION"}, rows)
			})
		},
	})
}
