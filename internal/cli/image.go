package cli

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) imageCommand() *cobra.Command {
	return t.group("image", "Golden images: build, import, list, show, delete",
		t.imageBuild(), t.imageImport(), t.imageList(), t.imageShow(), t.imageDelete())
}

// splitRef cuts NAME/VERSION; the version is empty where there is none.
func splitRef(ref string) (name, version string) {
	name, version, _ = strings.Cut(ref, "/")
	return name, version
}

func (t *tool) imageList() *cobra.Command {
	return &cobra.Command{
		Use: "list [NAME]", Aliases: []string{"ls"}, Short: "List golden images", Args: arguments(0, 1),
		ValidArgsFunction: t.words(1, imageNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			var p client.ListImagesParams
			if len(args) == 1 {
				p.Name = args[0]
			}
			list, err := client.Decode[client.ImageList](d.ListImages(c.Context(), &p))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, x := range list.Items {
					rows[i] = []string{
						x.Name, x.Version, yesNo(x.Current), short(x.Fingerprint), humanSize(x.Size), strings.Join(x.Members, ", "), t.ago(x.CreatedAt),
					}
				}
				return t.printTable([]string{"NAME", "VERSION", "CURRENT", "FINGERPRINT", "SIZE", "UNPACKED ON", "CREATED"}, rows)
			})
		},
	}
}

func (t *tool) imageShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME[/VERSION]", Short: "Show a golden image", Args: arguments(1, 1), ValidArgsFunction: t.words(1, imageNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			var answer *http.Response
			if name, version := splitRef(args[0]); version == "" {
				answer, err = d.GetCurrentImage(c.Context(), name)
			} else {
				answer, err = d.GetImage(c.Context(), name, version)
			}
			x, err := client.Decode[client.Image](answer, err)
			if err != nil {
				return err
			}
			return t.print(x, func() error {
				return t.printFields(
					"Name", x.Name, "Version", x.Version, "Description", x.Description, "Current", yesNo(x.Current),
					"Fingerprint", x.Fingerprint, "Size", humanSize(x.Size), "Hooks", strings.Join(x.Hooks, ", "),
					"Health check", fmt.Sprintf("GET %s on port %d within %s", x.Health.Path, x.Health.Port, x.Health.Timeout),
					"Unpacked on", strings.Join(x.Members, ", "), "Recipe", x.RecipeHash, "Base", x.BaseFingerprint,
					"Made by job", x.Job, "Created", t.ago(x.CreatedAt),
				)
			})
		},
	}
}

func (t *tool) imageDelete() *cobra.Command {
	c := &cobra.Command{
		Use: "delete NAME/VERSION", Aliases: []string{"rm"}, Short: "Delete a version that no tenant uses",
		Args: arguments(1, 1), ValidArgsFunction: t.words(1, imageNames),
	}
	w := t.waitFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		name, version := splitRef(args[0])
		if version == "" {
			return usageError{errors.New("name the version too, as NAME/VERSION; lxdfleet image list shows them")}
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.DeleteImage(c.Context(), name, version, nil)
		return w.job(c.Context(), d, func(client.Job) error {
			_, err := fmt.Fprintf(t.Out, "Image %s is deleted\n", args[0])
			return err
		}, answer, err)
	}
	return c
}
