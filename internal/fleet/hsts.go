package fleet

import (
	"strconv"
	"strings"
)

// HSTS is a Strict-Transport-Security header.
type HSTS struct {
	MaxAge     int  `json:"max_age"` // seconds; 0 takes the promise back
	Subdomains bool `json:"subdomains,omitempty"`
	Preload    bool `json:"preload,omitempty"`
}

// String is the value of the header.
func (h HSTS) String() string {
	s := "max-age=" + strconv.Itoa(h.MaxAge)
	if h.Subdomains {
		s += "; includeSubDomains"
	}
	if h.Preload {
		s += "; preload"
	}
	return s
}

// minPreload is the least max_age, a year, of those who keep the lists of browsers.
const minPreload = 365 * 24 * 60 * 60

var hstsUnits = []struct {
	suffix  string
	seconds int
}{{"y", minPreload}, {"d", 24 * 60 * 60}, {"h", 60 * 60}, {"m", 60}, {"s", 1}}

// ParseHSTS reads how long the promise holds (a whole number with y, d, h, m, s, or of seconds)
// and, after commas, subdomains and preload: 1y,subdomains. Nothing, and off, give nil. The error
// is of code Invalid and field "hsts".
func ParseHSTS(text string) (*HSTS, error) {
	if text == "" || text == "off" {
		return nil, nil //nolint:nilnil // nothing is to be said
	}
	bad := func(why string) (*HSTS, error) {
		return nil, Errorf(Invalid, "%q is no HSTS: %s", text, why).WithField("hsts").WithHint("write it as 30d or 1y,subdomains,preload")
	}
	words := strings.Split(text, ",")
	number, factor := words[0], 1
	for _, u := range hstsUnits {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = rest, u.seconds
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil || n > 10*minPreload/uint64(factor) {
		return bad("it does not begin with a time of at most ten years")
	}
	h := &HSTS{MaxAge: int(n) * factor}
	for _, word := range words[1:] {
		switch strings.TrimSpace(word) {
		case "subdomains":
			h.Subdomains = true
		case "preload":
			h.Preload = true
		default:
			return bad("only subdomains and preload may follow the time")
		}
	}
	return h, h.validate()
}

// Text is the form that ParseHSTS reads; empty for nil.
func (h *HSTS) Text() string {
	if h == nil {
		return ""
	}
	s := "0"
	for _, u := range hstsUnits {
		if h.MaxAge > 0 && h.MaxAge%u.seconds == 0 {
			s = strconv.Itoa(h.MaxAge/u.seconds) + u.suffix
			break
		}
	}
	if h.Subdomains {
		s += ",subdomains"
	}
	if h.Preload {
		s += ",preload"
	}
	return s
}

func (h *HSTS) validate() error {
	switch {
	case h == nil:
		return nil
	case h.MaxAge < 0 || h.MaxAge > 10*minPreload:
		return Errorf(Invalid, "%d seconds is not between 0 and ten years", h.MaxAge).WithField("hsts").
			WithHint("1y is a year")
	case h.Preload && (!h.Subdomains || h.MaxAge < minPreload):
		return Errorf(Invalid, "browsers' lists take only names that promise a year for all subdomains").
			WithField("hsts").WithHint("write 1y,subdomains,preload")
	}
	return nil
}
