package placement

import "github.com/lxdfleet/lxdfleet/internal/fleet"

// Part is what one consideration adds to a score.
type Part struct {
	Name   string
	Points float64
}

// The most points of each part. Together they are 100.
const (
	pointsRoom   = 60.0
	pointsLabels = 20.0
	pointsUse    = 10.0
	pointsLoad   = 5.0
	pointsImage  = 5.0
)

// score says how good a place that passed the filters is, higher is better. What is promised to
// tenants, for the size of the member, weighs most, so that tenants spread out even before they
// use anything, and simultaneous wishes see each other; then the labels preferred, what is really
// in use, the load, and whether the image is unpacked. What a member scores depends on that
// member alone.
func (l *ledger) score(p *place, w *want) [5]float64 {
	crowd := crowding(p, w.Needs)
	use := (freeShare(p.PoolUsed, p.PoolTotal) + freeShare(p.MemoryUsed, p.MemoryTotal)) / 2
	idle := 1.0
	if p.Load != nil && p.CPUs > 0 {
		idle = 1 / (1 + max(0, *p.Load)/float64(p.CPUs))
	}
	room := 1 / (1 + crowd)
	if l.rules.Strategy == Pack {
		room, use, idle = 1-room, 1-use, 0
	}
	liked := 0.0
	for _, t := range w.prefer {
		if p.has(t.key, t.value) {
			liked += 1 / float64(len(w.prefer))
		}
	}
	unpacked := 0.0
	if w.Image != "" && p.Unpacked[w.Image] {
		unpacked = 1
	}
	return [5]float64{pointsRoom * room, pointsLabels * liked, pointsUse * use, pointsLoad * idle, pointsImage * unpacked}
}

func sum(points [5]float64) (total float64) {
	for _, p := range points {
		total += p
	}
	return total
}

// parts names the points. Labels and image are left out where nobody asked for any.
func parts(points [5]float64, w *want) []Part {
	all := []Part{{"room", points[0]}}
	if len(w.prefer) > 0 {
		all = append(all, Part{"labels", points[1]})
	}
	all = append(all, Part{"use", points[2]}, Part{"load", points[3]})
	if w.Image != "" {
		all = append(all, Part{"image", points[4]})
	}
	return all
}

// crowding grows with what is promised on the member, with the wish met, for the member's size:
// 0 is an empty one, 1 one whose memory is promised once, or the like.
func crowding(p *place, n Needs) float64 {
	gib := 1.0
	if p.MemoryTotal > 0 {
		gib = float64(p.MemoryTotal) / float64(fleet.GiB)
	}
	// A tenant whose plan promises nothing counts too, like half a GiB of memory.
	crowd := float64(p.tenants) / (2 * gib)
	if p.MemoryTotal > 0 {
		crowd += float64(p.reserved.Memory+n.Memory) / float64(p.MemoryTotal)
	}
	if p.CPUs > 0 {
		crowd += float64(p.reserved.CPU+n.CPU) / float64(1000*p.CPUs) / 4 // processors are shared more easily
	}
	return crowd
}

// freeShare is between 0 and 1, and 1 where the total is not known.
func freeShare(used, total fleet.Size) float64 {
	if total <= 0 {
		return 1
	}
	return min(1, max(0, 1-float64(used)/float64(total)))
}
