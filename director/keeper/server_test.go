package keeper

import (
	"encoding/json"
	"net"
	"testing"
	"time"
)

func TestOfTwoOrdersTheLaterOneHolds(t *testing.T) {
	_, socket := serving(t)
	good := dial(t, socket)
	for i := range 50 {
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		var lines []byte
		for j := range 2 { // both wait in the socket, as after a freeze
			o := Order{Groups: []Group{gateway(uint8(100+j), uint64(2*i+j+1), time.Second, "wan")}}
			b, err := json.Marshal(request{ID: uint64(j + 1), Op: opSet, Order: &o})
			if err != nil {
				t.Fatal(err)
			}
			lines = append(append(lines, b...), '\n')
		}
		if _, err := c.Write(lines); err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(c)
		for seen := 0; seen < 2; {
			var r reply
			if err := d.Decode(&r); err != nil {
				t.Fatal(err)
			}
			if r.ID != 0 {
				seen++
			}
		}
		c.Close()
		st, err := good.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := st.Groups[0].Epoch, uint64(2*i+2); got != want {
			t.Fatalf("pair %d: the keeper has epoch %d, want %d", i, got, want)
		}
	}
}
