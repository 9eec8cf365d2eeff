package evidence

import (
	"errors"
	"net/netip"
	"time"
)

// Place is an address that only a run itself can know.
type Place string

const (
	// PlaceNone means that the target's address is known.
	PlaceNone Place = ""
	// PlaceNode is the node under the run.
	PlaceNode Place = "node"
	// PlaceSelf is the run's own pod.
	PlaceSelf Place = "self"
	// PlaceSelfSecond is its address of the other family, where it has two.
	PlaceSelfSecond Place = "self-second"
	// PlaceOther is the other run's pod.
	PlaceOther Place = "other"
	// PlaceOtherSecond is its address of the other family.
	PlaceOtherSecond Place = "other-second"
	// PlaceOtherNode is the node under it.
	PlaceOtherNode Place = "other-node"
)

var places = map[Place]bool{
	PlaceNone: true, PlaceNode: true, PlaceSelf: true, PlaceSelfSecond: true, PlaceOther: true, PlaceOtherSecond: true, PlaceOtherNode: true,
}

// other tells whether the place is known only from the other run.
func (p Place) other() bool {
	return p == PlaceOther || p == PlaceOtherSecond || p == PlaceOtherNode
}

// Environment variables in which a run finds its own addresses: the node's, and the pod's with commas in between.
const (
	NodeAddressEnv  = "AFFINEUR_NODE_ADDRESS"
	PodAddressesEnv = "AFFINEUR_POD_ADDRESSES"
)

// Seat is one of the two at a meeting.
type Seat string

const (
	// SeatInside is the run under the policies.
	SeatInside Seat = "inside"
	// SeatOutside is its control.
	SeatOutside Seat = "outside"
)

// Meeting is how two runs that are each other's witnesses find each other: both ask the canary about the other, on a
// port that both may reach. It only steers when attempts are made. What they prove is judged by their own times.
type Meeting struct {
	// Address of the canary, IP:port.
	Address string `json:"address"`
	// Token of the pair, unguessable, 16 to 64 characters of [0-9A-Za-z-].
	Token string `json:"token"`
	Seat  Seat   `json:"seat"`
	// Patience is how long to wait for the other, up to 10 minutes.
	Patience Duration `json:"patience"`
}

func (m *Meeting) validate() error {
	if m == nil {
		return nil
	}
	at, err := netip.ParseAddrPort(m.Address)
	switch {
	case err != nil || at.Port() == 0:
		return errors.New("address is not an IP address and a port")
	case !nonceForm.MatchString(m.Token):
		return errors.New("token is not 16 to 64 letters, digits or dashes")
	case m.Seat != SeatInside && m.Seat != SeatOutside:
		return errors.New("seat is neither inside nor outside")
	}
	return within(m.Patience.Std(), time.Millisecond, 10*time.Minute)
}
