package repository

import (
	"archive/tar"
	"slices"
	"strings"

	"github.com/kopia/kopia/snapshot"
)

// link is a hard link of the stream. It is given its file's content when all files are known.
type link struct {
	folders []string
	name    string
	target  string
	entry   *snapshot.DirEntry // of what it leads to
}

// hardLink notes a hard link of the stream.
func (t *tree) hardLink(h *tar.Header) {
	folders, last, ok := place(h.Name)
	_, target, targetOK := place(h.Linkname)
	if !ok || !targetOK || last == "" || target == "" || outside(h.Name) || outside(h.Linkname) {
		return // the headers have it
	}
	t.links = append(t.links, link{folders: folders, name: last, target: h.Linkname})
}

// tie gives each hard link a file of its own in the tree, with the content of what it leads to:
// kopia knows no links, and its tool is to restore a whole tree. Those that lead to nothing are in
// the headers only.
func (t *tree) tie() error {
	for len(t.links) > 0 {
		found, err := t.resolve()
		if err != nil || len(found) == 0 {
			return err
		}
		slices.SortStableFunc(found, func(a, b link) int { return slices.Compare(a.folders, b.folders) })
		for _, l := range found {
			b, err := t.enter(l.folders)
			if err != nil {
				return err
			}
			if b != nil {
				linked := *l.entry
				t.put(b, l.name, &linked)
			}
		}
	}
	return nil
}

// resolve gives the links whose files are known. The others stay: a link may lead to a link.
func (t *tree) resolve() (found []link, err error) {
	slices.SortStableFunc(t.links, func(a, b link) int { return strings.Compare(a.target, b.target) })
	var others []link
	for _, l := range t.links {
		folders, last, _ := place(l.target)
		b, err := t.enter(folders)
		if err != nil {
			return nil, err
		}
		if b != nil {
			b.mu.Lock()
			l.entry = b.entries[last]
			b.mu.Unlock()
		}
		if l.entry == nil || l.entry.Type == snapshot.EntryTypeDirectory {
			others = append(others, l)
			continue
		}
		found = append(found, l)
	}
	t.links = others
	return found, nil
}
