package scalability

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
	"time"
)

// The plot's measures, in its own units.
const (
	plotWidth, panelHeight          = 720, 360
	left, right, top, bottom        = 80, 24, 56, 56
	innerWidth                      = plotWidth - left - right
	innerHeight                     = panelHeight - top - bottom
	curvePoints                     = 60
	colorAxis, colorGrid, colorText = "#444", "#ddd", "#222"
	colorP50, colorP95, colorP99    = "#1b6ca8", "#b3401f", "#6a3d9a"
	colorFit, colorPromise          = "#2d6a2d", "#8a6d00"
)

// Figure is what a plot shows.
type Figure struct {
	// Subject is the name of what was measured, for the title.
	Subject string
	Demand  Demand
	// Wanted is the demand with headroom, a second.
	Wanted float64
	// Capacities by number of replicas; the first is shown over load, all of them over replicas.
	Capacities []Capacity
}

// Plot draws latency over load with the promise, the demand and the fitted curve, and below it, where several numbers of
// replicas were measured, what they carry. It is SVG without script, style sheet or anything from elsewhere; what it
// shows is also in its title and its description, for those who don't see it, and kinds of lines differ by their dashes and not
// by their colour alone. The same figure gives the same bytes.
func Plot(f Figure) []byte {
	if len(f.Capacities) == 0 || len(f.Capacities[0].Steps) == 0 {
		return nil
	}
	panels := 1
	if len(f.Capacities) > 1 {
		panels = 2
	}
	var p canvas
	title := fmt.Sprintf("Latency over load: %s", f.Subject)
	p.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title desc" font-family="sans-serif" font-size="12">`, plotWidth, panels*panelHeight)
	p.add(`<title id="title">%s</title>`, escape(title))
	p.add(`<desc id="desc">%s</desc>`, escape(f.describe()))
	p.add(`<rect width="%d" height="%d" fill="#fff"/>`, plotWidth, panels*panelHeight)
	p.text(left, 24, "start", "15", title)
	f.load(&p)
	if panels == 2 {
		p.add(`<g transform="translate(0 %d)">`, panelHeight)
		f.replicas(&p)
		p.add(`</g>`)
	}
	p.add(`</svg>`)
	return []byte(p.String())
}

// describe says in words what the plot shows.
func (f Figure) describe() string {
	var out []string
	for _, s := range f.Capacities[0].Steps {
		kept := ""
		if s.Overloaded {
			kept = ", overloaded"
		}
		out = append(out, fmt.Sprintf("%s req/s: median %s, p95 %s, p99 %s%s", short(s.Rate), span(s.P50), span(s.P95), span(s.P99), kept))
	}
	text := strings.Join(out, "; ") + ". " + fmt.Sprintf("95 of 100 are promised within %s; the demand with headroom is %s req/s", span(f.Demand.LatencyP95), short(f.Wanted))
	if where := f.Capacities[0].Describe(); where != "" {
		text += "; " + where
	}
	for _, c := range f.Capacities[min(1, len(f.Capacities)-1):] {
		if len(f.Capacities) > 1 {
			text += fmt.Sprintf("; %s carry %s req/s", replicas(c.Replicas), short(c.Carries()))
		}
	}
	return text + "."
}

// load is the panel of latency over load. Latency is logarithmic: what overload does to it is no matter of a factor of two.
func (f Figure) load(p *canvas) {
	steps := f.Capacities[0].Steps
	most, low, high := f.Wanted, f.Demand.LatencyP95, f.Demand.LatencyP95
	for _, s := range steps {
		most, low, high = max(most, s.Rate), min(low, max(s.P50, time.Microsecond)), max(high, s.P99)
	}
	x := linear(0, most*1.05, left, left+innerWidth)
	y := logarithmic(low.Seconds()*1000/1.3, high.Seconds()*1000*1.3, top+innerHeight, top)
	p.frame(x, y, "requests a second", "milliseconds from when it was due to the last byte")
	ms := func(d time.Duration) float64 { return max(d.Seconds()*1000, 1e-3) }
	p.line(left, y.at(ms(f.Demand.LatencyP95)), left+innerWidth, y.at(ms(f.Demand.LatencyP95)), colorPromise, "8 4")
	p.text(left+4, y.at(ms(f.Demand.LatencyP95))-5, "start", "11", "promised: p95 within "+span(f.Demand.LatencyP95))
	p.line(x.at(f.Wanted), top, x.at(f.Wanted), top+innerHeight, colorPromise, "2 3")
	p.text(x.at(f.Wanted)+4, top+12, "start", "11", "demand with headroom")
	f.curve(p, x, y)
	for i, series := range []struct {
		name, color, dash string
		of                func(Step) time.Duration
	}{
		{"median", colorP50, "", func(s Step) time.Duration { return s.P50 }},
		{"p95", colorP95, "6 3", func(s Step) time.Duration { return s.P95 }},
		{"p99", colorP99, "2 2", func(s Step) time.Duration { return s.P99 }},
	} {
		var points [][2]float64
		for _, s := range steps {
			points = append(points, [2]float64{x.at(s.Rate), y.at(ms(series.of(s)))})
		}
		p.path(points, series.color, series.dash)
		for j, point := range points {
			p.dot(point, series.color, steps[j].Overloaded)
		}
		p.legend(i, series.name, series.color, series.dash)
	}
}

// curve is the mean latency that the fitted law says: at N requests under way C(N) a second are answered, each after N/C(N).
func (f Figure) curve(p *canvas, x, y scale) {
	u, err := f.Capacities[0].fitLoad()
	if err != nil {
		return
	}
	var points [][2]float64
	for i := range curvePoints + 1 {
		n := u.Least * math.Pow(u.Most/u.Least, float64(i)/curvePoints)
		if c, ok := u.At(min(n, u.Most)); ok {
			points = append(points, [2]float64{x.at(c), y.at(1000 * n / c)})
		}
	}
	p.path(points, colorFit, "1 4")
	p.legend(3, fmt.Sprintf("mean, fitted (R² %s)", short(u.R2)), colorFit, "1 4")
}

// replicas is the panel of what numbers of replicas carry.
func (f Figure) replicas(p *canvas) {
	mostN, most := 1.0, f.Wanted
	for _, c := range f.Capacities {
		mostN, most = max(mostN, float64(c.Replicas)), max(most, c.Carries())
	}
	x, y := linear(0, mostN*1.1, left, left+innerWidth), linear(0, most*1.1, top+innerHeight, top)
	p.text(left, 24, "start", "15", "What replicas carry")
	p.frame(x, y, "replicas", "requests a second at the knee")
	p.line(left, y.at(f.Wanted), left+innerWidth, y.at(f.Wanted), colorPromise, "2 3")
	p.text(left+innerWidth-4, y.at(f.Wanted)-5, "end", "11", "demand with headroom")
	for _, c := range f.Capacities {
		p.dot([2]float64{x.at(float64(c.Replicas)), y.at(c.Carries())}, colorP50, !c.Bracketed)
	}
	p.legend(0, "measured", colorP50, "")
	u, err := fitReplicas(f.Capacities)
	if err != nil {
		return
	}
	var points [][2]float64
	for i := range curvePoints + 1 {
		n := u.Least + (u.Most-u.Least)*float64(i)/curvePoints
		if c, ok := u.At(n); ok {
			points = append(points, [2]float64{x.at(n), y.at(c)})
		}
	}
	p.path(points, colorFit, "1 4")
	p.legend(1, fmt.Sprintf("fitted from %d levels (R² %s)", u.Levels, short(u.R2)), colorFit, "1 4")
}

// canvas collects elements. Numbers are written with one digit behind the point, so that no machine's rounding shows.
type canvas struct{ strings.Builder }

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

func (c *canvas) text(x, y float64, anchor, size, text string) {
	c.add(`<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%s" fill="%s">%s</text>`, x, y, anchor, size, colorText, escape(text))
}

func (c *canvas) line(x1, y1, x2, y2 float64, color, dash string) {
	c.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"%s/>`, x1, y1, x2, y2, color, dashed(dash))
}

func (c *canvas) path(points [][2]float64, color, dash string) {
	var d strings.Builder
	for i, p := range points {
		fmt.Fprintf(&d, "%s%.1f %.1f", map[bool]string{true: "M", false: " L"}[i == 0], p[0], p[1])
	}
	c.add(`<path d="%s" fill="none" stroke="%s" stroke-width="2"%s/>`, d.String(), color, dashed(dash))
}

// dot is full, or hollow for what is to be told from the others.
func (c *canvas) dot(at [2]float64, color string, hollow bool) {
	fill := color
	if hollow {
		fill = "#fff"
	}
	c.add(`<circle cx="%.1f" cy="%.1f" r="4" fill="%s" stroke="%s" stroke-width="2"/>`, at[0], at[1], fill, color)
}

func (c *canvas) legend(place int, name, color, dash string) {
	x := float64(left + place*110)
	c.line(x, 42, x+26, 42, color, dash)
	c.text(x+32, 46, "start", "12", name)
}

func (c *canvas) frame(x, y scale, xName, yName string) {
	for _, v := range x.ticks() {
		c.line(x.at(v), top, x.at(v), top+innerHeight, colorGrid, "")
		c.text(x.at(v), top+innerHeight+18, "middle", "12", short(v))
	}
	for _, v := range y.ticks() {
		c.line(left, y.at(v), left+innerWidth, y.at(v), colorGrid, "")
		c.text(left-8, y.at(v)+4, "end", "12", short(v))
	}
	c.add(`<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="%s"/>`, left, top, innerWidth, innerHeight, colorAxis)
	c.text(left+innerWidth/2, panelHeight-12, "middle", "12", xName)
	c.add(`<text transform="translate(20 %d) rotate(-90)" text-anchor="middle" fill="%s">%s</text>`, top+innerHeight/2, colorText, escape(yName))
}

func dashed(dash string) string {
	if dash == "" {
		return ""
	}
	return fmt.Sprintf(` stroke-dasharray="%s"`, dash)
}

func escape(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text))
	return out.String()
}

// scale maps values to places on the canvas.
type scale struct {
	low, high, from, to float64
	log                 bool
}

func linear(low, high, from, to float64) scale {
	return scale{low: low, high: high, from: from, to: to}
}

func logarithmic(low, high, from, to float64) scale {
	return scale{low: low, high: high, from: from, to: to, log: true}
}

func (s scale) at(v float64) float64 {
	share := (v - s.low) / (s.high - s.low)
	if s.log {
		share = math.Log(v/s.low) / math.Log(s.high/s.low)
	}
	return s.from + min(max(share, 0), 1)*(s.to-s.from)
}

// ticks are round values within the scale: 1, 2 and 5 times powers of ten.
func (s scale) ticks() []float64 {
	var out []float64
	if s.log {
		for power := math.Floor(math.Log10(s.low)); power <= math.Log10(s.high); power++ {
			for _, m := range []float64{1, 2, 5} {
				if v := m * math.Pow(10, power); v >= s.low && v <= s.high {
					out = append(out, v)
				}
			}
		}
		return out
	}
	step := math.Pow(10, math.Floor(math.Log10(s.high)))
	for _, m := range []float64{0.1, 0.2, 0.5, 1} {
		if s.high/(step*m) <= 8 {
			step *= m
			break
		}
	}
	for v := 0.0; v <= s.high; v += step {
		out = append(out, round3(v))
	}
	return out
}
