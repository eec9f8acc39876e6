package reach

import "testing"

func TestConnected(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue
   0: 00000000:0050 00000000:0000 0A 00000000:00000000
   1: AA4D000A:0050 FE01000A:C350 01 00000000:00000000
   2: AA4D000A:0050 FE01000A:C351 06 00000000:00000000
  sl  local_address                         remote_address                        st
   0: 0000000000000000FFFF0000AA4D000A:1F90 0000000000000000FFFF0000FE01000A:C352 01
`
	for _, tt := range []struct {
		local, remote int
		want          bool
	}{
		{80, 50000, true},
		{80, 50001, false}, // over
		{8080, 50002, true},
		{80, 50002, false},
		{80, 0, false},
	} {
		if got := connected(table, tt.local, tt.remote); got != tt.want {
			t.Errorf("%d from %d: %t", tt.local, tt.remote, got)
		}
	}
}

func TestCovers(t *testing.T) {
	for list, want := range map[string]bool{"80": true, "81": false, "1,80": true, "70-90": true, "1-79,81": false, "": false, "x": false, "80-x": false} {
		if got := covers(list, 80); got != want {
			t.Errorf("%q: %t", list, got)
		}
	}
}
