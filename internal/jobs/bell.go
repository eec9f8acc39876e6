package jobs

import "sync"

// bell wakes those who wait for news of a job that this process brings about.
type bell struct {
	mu   sync.Mutex
	ears map[string]map[chan struct{}]struct{}
}

// listen gives a channel that gets a value after each ring for the job since the last value
// was taken, and a function that ends it.
func (b *bell) listen(id string) (<-chan struct{}, func()) {
	ear := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ears == nil {
		b.ears = map[string]map[chan struct{}]struct{}{}
	}
	if b.ears[id] == nil {
		b.ears[id] = map[chan struct{}]struct{}{}
	}
	b.ears[id][ear] = struct{}{}
	return ear, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.ears[id], ear)
		if len(b.ears[id]) == 0 {
			delete(b.ears, id)
		}
	}
}

func (b *bell) ring(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ear := range b.ears[id] {
		select {
		case ear <- struct{}{}:
		default: // it has not yet seen the last ring
		}
	}
}
