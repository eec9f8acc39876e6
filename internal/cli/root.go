package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/setup"
)

// App is what the command needs of the program behind it.
type App struct {
	Version string
	// Init prepares LXD and says on out what it did.
	Init func(ctx context.Context, cfg config.Config, out io.Writer, resetProfiles bool) error
	// Doctor looks for what is wrong, without a daemon.
	Doctor func(ctx context.Context, cfg config.Config) []setup.Finding
	// Serve runs the daemon until ctx ends.
	Serve func(ctx context.Context, settings config.Settings) error
	// Proxy runs a proxy without a daemon until ctx ends. controller, token and name may be empty.
	Proxy func(ctx context.Context, cfg config.Config, controller, token, name string) error
}

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs the command with the process's streams until it ends or SIGINT or SIGTERM comes,
// and gives the exit code.
func Main(app App, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, app, Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, args)
}

// Run runs the command and gives the exit code. Errors are written to s.Err.
func Run(ctx context.Context, app App, s Streams, args []string) int {
	t := &tool{app: app, Streams: s, now: time.Now}
	return t.run(ctx, args)
}

// Root gives the command tree, for making its documentation.
func Root(app App, s Streams) *cobra.Command {
	return (&tool{app: app, Streams: s, now: time.Now}).root()
}

func (t *tool) run(ctx context.Context, args []string) int {
	root := t.root()
	root.SetArgs(args)
	at, err := root.ExecuteContextC(ctx)
	t.at = at
	if err != nil && !t.began {
		err = usageError{err}
	}
	return t.report(err)
}

func (t *tool) root() *cobra.Command {
	root := t.group("lxdfleet", "Drive a fleet of tenants on LXD")
	root.Long = "lxdfleet clones tenants from golden images onto an LXD cluster and serves each at its own\n" +
		"HTTPS host. lxc keeps working beside it: lxdfleet notices and follows."
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(t.In)
	root.SetOut(t.Out)
	root.SetErr(t.Err)
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		t.at, t.began = c, true
		if err := checkApart(c); err != nil {
			return err
		}
		return t.checkOutput()
	}
	flags := root.PersistentFlags()
	flags.StringVar(&t.socket, "socket", os.Getenv(socketVariable), "`path` of the daemon's socket (default: as configured)")
	flags.StringVar(&t.config, "config", "", "configuration `file` (default: $"+config.EnvFile+", or "+config.DefaultFile+")")
	flags.StringVarP(&t.output, "output", "o", "table", "`format` of the output: table, json or yaml")
	fixed(root, "output", "table", "json", "yaml")
	flags.StringVar(&t.context, "context", os.Getenv("LXDFLEET_CONTEXT"), "`name` of the daemon to speak to (default: as lxdfleet context use said)")
	complete(root, "context", t.contextNames)
	root.AddCommand(
		t.tenantCommand(), t.snapshotCommand(), t.backupCommand(), t.drillCommand(), t.policyCommand(), t.imageCommand(), t.jobCommand(), t.planCommand(), t.memberCommand(), t.clusterCommand(), t.placementCommand(), t.moveCommand(), t.rebalanceCommand(), t.domainCommand(), t.routeCommand(), t.proxyCommand(),
		t.eventsCommand(), t.initCommand(), t.doctorCommand(), t.serveCommand(), t.versionCommand(),
		t.userCommand(), t.tokenCommand(), t.auditCommand(), t.webhookCommand(), t.loginCommand(), t.logoutCommand(), t.whoamiCommand(), t.contextCommand(),
		t.recoverCommand(), t.caCommand(), t.topCommand(), t.configCommand(), t.manCommand(),
	)
	t.pickFlags(root)
	completionCommand(root)
	suggestLXC(root, "")
	root.SetFlagErrorFunc(unknownFlag)
	return root
}

// group makes a noun, which has verbs below it.
func (t *tool) group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return unknownVerb(c, args[0])
		},
	}
	c.AddCommand(verbs...)
	return c
}
