package main

import (
	"encoding/json"
	"io"
	"net"
	"testing"
)

// A flood tells what of it arrived: connections where somebody listens, datagrams where somebody answers, and neither
// where nobody does.
func TestFloodTellsWhatArrives(t *testing.T) {
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = open.Close() })
	answers, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answers.Close() })
	go func() {
		datagram := make([]byte, 512)
		for {
			n, from, err := answers.ReadFrom(datagram)
			if err != nil {
				return
			}
			_, _ = answers.WriteTo(datagram[:n], from)
		}
	}()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for place, want := range map[intrusion]bool{
		{"tcp", open.Addr().String()}:         true,
		{"udp", answers.LocalAddr().String()}: true,
		{"tcp", closed.Addr().String()}:       false,
		{"udp", silent.LocalAddr().String()}:  false,
	} {
		t.Run(place.what+" "+place.where, func(t *testing.T) {
			t.Parallel()
			read, write := io.Pipe()
			go floodPlace(t.Context(), place, json.NewEncoder(write))
			var told intruded
			if err := json.NewDecoder(read).Decode(&told); err != nil {
				t.Fatal(err)
			}
			if told.Done != want || told.Try != place.what+":"+place.where {
				t.Errorf("told %+v, want %v", told, want)
			}
			_ = read.Close()
		})
	}
}
