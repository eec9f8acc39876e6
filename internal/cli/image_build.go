package cli

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/images"
)

func (t *tool) imageBuild() *cobra.Command {
	c := &cobra.Command{
		Use: "build RECIPE", Short: "Build a golden image from a recipe", Args: arguments(1, 1),
		Long: "Build a golden image from a recipe: a file, a folder with recipe.yaml in it, or the name of a\n" +
			"recipe that comes with lxdfleet (" + strings.Join(images.BuiltinNames(), ", ") + ").",
		Example: "  lxdfleet image build wordpress\n  lxdfleet image build ./shop/recipe.yaml",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		bundle, err := bundleOf(args[0])
		if err != nil {
			return err
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.BuildImageWithBody(c.Context(), &client.BuildImageParams{IdempotencyKey: w.key},
			"application/x-tar", bytes.NewReader(bundle.Tar))
		return w.job(c.Context(), d, func(job client.Job) error {
			_, err := fmt.Fprintf(t.Out, "Built %s\n", strings.TrimPrefix(job.Subject, "image/"))
			return err
		}, answer, err)
	}
	return c
}

// bundleOf reads a recipe. A path wins over a recipe that comes with lxdfleet.
func bundleOf(recipe string) (images.Bundle, error) {
	if _, err := os.Stat(recipe); err != nil && slices.Contains(images.BuiltinNames(), recipe) {
		return images.BuiltinBundle(recipe)
	}
	return images.LoadBundle(recipe)
}
