package lxdapi

import "testing"

func TestSending(t *testing.T) {
	var s sending
	for _, c := range []struct {
		text, message string
		bytes         int64
	}{
		{"p_acme/s1: 40.71MB (40.70MB/s)", "sent 40.71MB (40.70MB/s)", 40_710_000},
		{"p_acme/s1: 704.25MB (55.34MB/s)", "sent 704.25MB (55.34MB/s)", 704_250_000},
		{"p_acme/s2: 5.00kB (1kB/s)", "sent 5.00kB (1kB/s)", 704_255_000},
		{"p_acme: 12B (1B/s)", "sent 12B (1B/s)", 704_255_012},
		{"p_acme: 1.50GB (1B/s)", "sent 1.50GB (1B/s)", 2_204_255_000},
		{"p_acme: what (1B/s)", "sent what (1B/s)", 2_204_255_000},
		{"odd", "odd", 2_204_255_000},
	} {
		if got := s.add(c.text); got.Bytes != c.bytes || got.Message != c.message {
			t.Errorf("%q gives %+v", c.text, got)
		}
	}
}
