package images

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ParseRecipe reads a recipe. Nothing is guessed: an unknown key, a key given twice or a
// value out of its range is an error of code Invalid that names file and line (file is used
// in messages only), with the key as its field and what to do as its hint.
func ParseRecipe(file string, source []byte) (Recipe, error) {
	tree, err := parser.ParseBytes(source, 0)
	if err != nil {
		return Recipe{}, yamlError(file, err)
	}
	if len(tree.Docs) > 1 {
		return Recipe{}, fleet.Errorf(fleet.Invalid, "%s holds %d documents", file, len(tree.Docs)).
			WithHint("keep one recipe in a file: remove what follows the line ---")
	}
	if err := checkTimes(file, tree); err != nil {
		return Recipe{}, err
	}
	var r Recipe
	err = yaml.NewDecoder(bytes.NewReader(source), yaml.Strict()).Decode(&r)
	if errors.Is(err, io.EOF) {
		return Recipe{}, fleet.Errorf(fleet.Invalid, "%s is empty", file).
			WithHint("write at least name, base and steps; the repository's recipes show how")
	}
	if err != nil {
		return Recipe{}, yamlError(file, err)
	}
	if p := r.validate(); p != nil {
		at := file
		if line := lineOf(tree, p.path); line > 0 {
			at = fmt.Sprintf("%s:%d", file, line)
		}
		return Recipe{}, fleet.Errorf(fleet.Invalid, "%s: %s", at, p.message).
			WithField(p.path).WithHint("%s", p.hint)
	}
	return r, nil
}

// checkTimes finds timeouts that are no time: the YAML library tells no line of those, and
// takes a number without a unit for nanoseconds.
func checkTimes(file string, tree *ast.File) error {
	var t timeouts
	for _, doc := range tree.Docs {
		ast.Walk(&t, doc)
	}
	if t.bad == nil {
		return nil
	}
	return fleet.Errorf(fleet.Invalid, "%s:%d: the timeout %q is no time", file, t.bad.Position.Line, t.bad.Value).
		WithField("timeout").WithHint("write a number with its unit, such as 90s or 10m")
}

// timeouts looks for the first timeout that is no time.
type timeouts struct{ bad *token.Token }

// Visit implements ast.Visitor.
func (t *timeouts) Visit(node ast.Node) ast.Visitor {
	pair, ok := node.(*ast.MappingValueNode)
	if ok && pair.Key.GetToken().Value == "env" {
		return nil // whose names are the recipe's own
	}
	if !ok || t.bad != nil || pair.Key.GetToken().Value != "timeout" {
		return t
	}
	switch value := pair.Value.(type) {
	case *ast.StringNode:
		if _, err := time.ParseDuration(value.Value); err == nil {
			return t
		}
	case *ast.IntegerNode, *ast.FloatNode:
	default:
		return t // its type is wrong, which the decoder tells
	}
	t.bad = pair.Value.GetToken()
	return t
}

// yamlError brings an error of the YAML library to file, line and one line of text.
func yamlError(file string, err error) error {
	hint := "correct this line"
	if _, ok := errors.AsType[*yaml.UnknownFieldError](err); ok {
		hint = "remove the key or correct its spelling"
	}
	message := strings.TrimSpace(err.Error())
	if y, ok := errors.AsType[yaml.Error](err); ok {
		message = y.GetMessage()
		if t := y.GetToken(); t != nil && t.Position != nil {
			file = fmt.Sprintf("%s:%d", file, t.Position.Line)
		}
	}
	message, _, _ = strings.Cut(message, "\n")
	return fleet.Errorf(fleet.Invalid, "%s: %s", file, message).WithHint("%s", hint)
}

// lineOf gives the line of the value at a path such as base.remote.server or files[2].mode,
// or of the nearest thing above it that is there; 0 where nothing is.
func lineOf(tree *ast.File, field string) int {
	for field != "" {
		p, err := yaml.PathString("$." + field)
		if err == nil {
			if node, err := p.FilterFile(tree); err == nil && node != nil && node.GetToken() != nil {
				return firstLine(node)
			}
		}
		cut := strings.LastIndexAny(field, ".[")
		if cut < 0 {
			break
		}
		field = field[:cut]
	}
	return 0
}

// firstLine gives the line a node starts on: a mapping's own token is the colon of its first key.
func firstLine(node ast.Node) int {
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
		return m.Values[0].Key.GetToken().Position.Line
	}
	return node.GetToken().Position.Line
}
