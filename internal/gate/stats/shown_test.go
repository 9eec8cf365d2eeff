package stats

import (
	"math"
	"math/bits"
	"testing"
)

func TestNeededRightAgainstEveryNumber(t *testing.T) {
	for _, ratio := range []float64{0, 0.5, 0.8, 0.9, 0.95, 0.99, 1} {
		for n := int64(1); n <= 300; n++ {
			want := n + 1
			for k := n; k >= 0; k-- {
				if lower, _ := Wilson(k, n); lower < ratio {
					break
				}
				want = k
			}
			if got := NeededRight(n, ratio); got != want {
				t.Fatalf("NeededRight(%d, %v) = %d, want %d", n, ratio, got, want)
			}
		}
	}
	if got := NeededRight(100, 0.9); got != 95 {
		t.Errorf("of 100, %d must be right to show 0.9; computed apart from this code it is 95", got)
	}
	for _, n := range []int64{0, -5} {
		if got := NeededRight(n, 0.5); got != 1 {
			t.Errorf("NeededRight(%d) = %d: none of nothing suffices", n, got)
		}
	}
	if got := NeededRight(10, math.NaN()); got != 11 {
		t.Errorf("a ratio that is no number is shown by %d", got)
	}
}

func TestSmallestSample(t *testing.T) {
	for ratio := 0.005; ratio < 0.9995; ratio += 0.0047 {
		n := SmallestSample(ratio)
		if !Shows(n, n, ratio) || n > 1 && Shows(n-1, n-1, ratio) {
			t.Errorf("SmallestSample(%v) = %d", ratio, n)
		}
	}
	if SmallestSample(0.9) != 25 {
		t.Errorf("to show 0.9 takes %d", SmallestSample(0.9))
	}
	for _, never := range []float64{1, 2, math.NaN()} {
		if SmallestSample(never) != math.MaxInt64 {
			t.Errorf("%v is shown by %d", never, SmallestSample(never))
		}
	}
}

func TestNothingIsShownByNothing(t *testing.T) {
	for _, c := range [][2]int64{{0, 0}, {1, 0}, {-1, 10}, {11, 10}, {5, -5}} {
		if Shows(c[0], c[1], 0) || ShowsLess(c[0], c[1], 1.1) {
			t.Errorf("%d of %d shows something", c[0], c[1])
		}
	}
	if Shows(10, 10, math.NaN()) || ShowsLess(0, 10, math.NaN()) || Shows(10, 10, 1.5) {
		t.Error("a ratio that is none is shown")
	}
	for n := int64(1); n < 100; n++ {
		for k := int64(0); k <= n; k++ {
			if Shows(k, n, 0.9) && ShowsLess(k, n, 0.9) {
				t.Fatalf("%d of %d shows both", k, n)
			}
		}
	}
}

// Every way in which n changed pairs could have fallen, counted one by one.
func TestMcNemarAgainstEveryOutcome(t *testing.T) {
	for n := range 15 {
		for worse := 0; worse <= n; worse++ {
			count := 0
			for outcome := range 1 << n {
				if bits.OnesCount(uint(outcome)) >= worse {
					count++
				}
			}
			want := float64(count) / math.Exp2(float64(n))
			if got := McNemar(int64(worse), int64(n-worse)); math.Abs(got-want) > 1e-9 {
				t.Errorf("McNemar(%d, %d) = %v, want %v", worse, n-worse, got, want)
			}
		}
	}
}

func TestMcNemarAtItsEnds(t *testing.T) {
	for _, c := range []struct {
		worse, better int64
		low, high     float64
	}{
		{0, 0, 1, 1}, {0, 50, 1, 1}, {-1, 5, 1, 1}, {5, -1, 1, 1}, {math.MaxInt64, math.MaxInt64, 1, 1},
		{5, 0, 0.03124, 0.03126}, {4, 0, 0.06249, 0.06251}, {1000, 1000, 0.5, 0.52}, {2000, 0, 0, 1e-300},
	} {
		if got := McNemar(c.worse, c.better); !(got >= c.low && got <= c.high) {
			t.Errorf("McNemar(%d, %d) = %v", c.worse, c.better, got)
		}
	}
	before := 2.0
	for worse := range int64(200) {
		now := McNemar(worse, 100)
		if now > before+1e-9 {
			t.Fatalf("more that became worse are likelier: %d", worse)
		}
		before = now
	}
}

func TestEveryLookIsSurer(t *testing.T) {
	sum, before := 0.0, 1.0
	for l := Look(0); l < 40; l++ {
		if l.Error() > before || l > 0 && l < 32 && l.Error() == before {
			t.Errorf("look %d errs as often as the one before", l)
		}
		before = l.Error()
		if l < 32 {
			sum += l.Error()
		}
	}
	if sum >= 0.075 {
		t.Errorf("all together err in %v of all cases", sum)
	}
	if Look(-1).Error() != 0.05 || !Look(0).Shows(95, 100, 0.9) || Look(1).Shows(95, 100, 0.9) || !Look(1).Shows(97, 100, 0.9) {
		t.Error("computed apart from this code, 95 of 100 show 0.9 at the first look (0.9008), and not at the second (0.8762), where 97 do (0.9040)")
	}
	if got := Look(1).NeededRight(100, 0.9); got != 97 {
		t.Errorf("%d of 100", got)
	}
}
