package images

import (
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// UnmarshalYAML reads a script given by its text alone, or by run or source
func (s *Script) UnmarshalYAML(node ast.Node) error {
	switch node.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return yaml.NodeToValue(node, &s.Run)
	case *ast.MappingNode, *ast.MappingValueNode:
		type plain Script // without this method
		return yaml.NodeToValue(node, (*plain)(s), yaml.Strict())
	}
	return &yaml.SyntaxError{Message: "a script is its text, or run: text, or source: file", Token: node.GetToken()}
}
