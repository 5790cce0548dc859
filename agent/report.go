package agent

import (
	"maps"
	"sync"
	"time"

	"github.com/quorate/quorate/checks"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

// Timing of reports: each director looks this often at how it is, and tells all others when that is another than
// they know. Else its beats say by number that the last report stands. One that was not heard of for reportLife does
// not count.
const (
	reportEvery = time.Second
	reportLife  = 3500 * time.Millisecond
	reportAgain = 10 * time.Second // told anew, whatever the others should know
)

// report is what one director tells the others about itself. Nothing in it is in the log: it is
// what the leader's decisions are made from.
type report struct {
	Name         string                               `json:"name"`
	Number       uint32                               `json:"number,omitempty"` // what a beat says while this is how the director is
	Begun        int64                                `json:"begun,omitempty"`  // when its session began, in ns of its clock: its numbers count from there
	Version      string                               `json:"version"`
	MinLevel     int                                  `json:"min_level,omitempty"` // feature levels that its binary supports; 0 of one that does not say
	MaxLevel     int                                  `json:"max_level,omitempty"`
	RaiseLevel   time.Duration                        `json:"raise_level,omitempty"` // what it waits for before the level is raised, as its agent file says
	Index        uint64                               `json:"index"`
	HashIndex    uint64                               `json:"hash_index"`
	Hash         string                               `json:"hash"` // of the state at HashIndex
	Ready        bool                                 `json:"ready"`
	Reasons      []string                             `json:"reasons,omitempty"`    // why it is not
	Holds        bool                                 `json:"holds,omitempty"`      // it is not, for its disk alone: what it owns is not moved from it
	NoWrite      string                               `json:"no_write,omitempty"`   // why nothing can be written to its disk for sure
	Halted       string                               `json:"halted,omitempty"`     // the log entry that it cannot apply
	Troubles     []string                             `json:"troubles,omitempty"`   // that make it not unready
	Lacks        map[string]coverage                  `json:"lacks,omitempty"`      // owners that it lacks connections of
	Refused      map[string]uint64                    `json:"refused,omitempty"`    // to who is no director, by why
	NoIPVS       bool                                 `json:"no_ipvs,omitempty"`    // its kernel has none
	NoRefusal    string                               `json:"no_refusal,omitempty"` // why it could keep no packets from its host
	Joining      bool                                 `json:"joining,omitempty"`    // it has no vote yet
	Leaving      bool                                 `json:"leaving,omitempty"`
	Stopped      bool                                 `json:"stopped,omitempty"`    // its agent ends; this is the last report
	Certificate  pki.Certificate                      `json:"certificate,omitzero"` // by which the others know it
	Links        []string                             `json:"links"`                // its interfaces, as the kernel calls them
	Names        map[string]string                    `json:"names,omitempty"`      // what its agent file calls them
	Groups       map[string]groupReport               `json:"groups"`
	Claimants    bool                                 `json:"claimants,omitempty"` // it says of each group who would claim it again; an older version does not
	Observations map[fsm.ServerKey]checks.Observation `json:"observations"`
}

// groupReport is what a director's keeper says of one group.
type groupReport struct {
	State    string    `json:"state"` // initialize, backup or active
	Epoch    uint64    `json:"epoch"`
	Priority uint8     `json:"priority"`
	Since    time.Time `json:"since"`
	Reason   string    `json:"reason"`
	Keeps    bool      `json:"keeps,omitempty"`  // it is not Active and has the addresses: it found them when it was started, is about to let them go, or could not remove them (in initialize, too); or there is no keeper, and the next one finds them
	Heard    string    `json:"heard,omitempty"`  // the Active router's address, while it is another
	Member   bool      `json:"member,omitempty"` // whether that is a member's

	Hears    string `json:"hears,omitempty"`    // the member that is heard as Active, on every router that hears anybody
	Claimant string `json:"claimant,omitempty"` // who would claim it again: see [claimant]
	Claim    string `json:"claim,omitempty"`    // why it was claimed, while the log does not know
	Again    string `json:"again,omitempty"`    // why it has taken the group again in the epoch that the log has
	Unproven string `json:"unproven,omitempty"` // the router whose address is not answered for, though its owner is heard here
	Deaf     string `json:"deaf,omitempty"`     // why the owner is not heard here, while it is not
	Apart    bool   `json:"apart,omitempty"`    // another owns it, too, on a side of the segment that nothing joins to this one's
	Doubled  string `json:"doubled,omitempty"`  // that two directors answer for an address of the group, and which
	found    string // who owns it then; the others have their own eyes
	Unfit    string `json:"unfit,omitempty"`   // the requirement that forbids this director to own it
	Waiting  bool   `json:"waiting,omitempty"` // whether a requirement has said nothing yet
	Score    int    `json:"score,omitempty"`   // of the preferences
}

// cannot says why the director could not own the group, or is empty.
func (g groupReport) cannot() string {
	if g.State == "initialize" {
		return g.Reason
	}
	return g.Unfit
}

func (r report) active(group string) bool { return r.Groups[group].State == "active" }

// serves reports whether a director has the addresses of a group, Active or not.
func (r report) serves(group string) bool { return r.active(group) || r.Groups[group].Keeps }

// keeping is the report with which groups the director has the addresses of.
func (r report) keeping(groups []string) report {
	all := map[string]groupReport{}
	maps.Copy(all, r.Groups)
	r.Groups = all
	for _, name := range groups {
		own := r.Groups[name]
		own.Keeps = own.State != "active"
		r.Groups[name] = own
	}
	return r
}

// received is a report and when it came, by this director's clock.
type received struct {
	report
	at           time.Time
	unreadySince time.Time // zero while it is ready; begins anew where it holds no more
}

// reports holds the newest report of every director.
type reports struct {
	reaches func(name string) bool  // whether this director reaches a member; nil: all of them
	seen    func(services []string) // is told of which services' servers a director sees something else now; nil: nobody is

	mu     sync.Mutex
	byName map[string]received
}

// counts reports whether a report counts at now. That of a member which is not reached from here does not, but where it
// says that it stops, or joins and waits to be reached.
func (rs *reports) counts(r received, now time.Time) bool {
	return now.Sub(r.at) < reportLife && (r.Stopped || r.Joining || rs.reaches == nil || rs.reaches(r.Name))
}

// ahead reports whether another director has applied what is behind a log index.
func (rs *reports) ahead(index uint64, now time.Time) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.byName {
		if r.Index > index && rs.counts(r, now) {
			return true
		}
	}
	return false
}

// before reports whether a director made this report before another one of its own.
func (r report) before(other report) bool {
	return r.Begun < other.Begun || r.Begun == other.Begun && int32(r.Number-other.Number) < 0
}

// is reports whether two reports of a director say the same, by their number.
func (r report) is(other report) bool {
	return r.Number != 0 && r.Number == other.Number && r.Begun == other.Begun
}

// put stores a report that came at now. One that was overtaken by a newer one does not count: a cut may hold it
// back until long after the other has come on a new connection, and nothing would put that right for a while.
func (rs *reports) put(r report, now time.Time) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.byName == nil {
		rs.byName = map[string]received{}
	}
	old, known := rs.byName[r.Name]
	if known && r.before(old.report) && now.Sub(old.at) < reportLife { // later it is a clock that was set
		return
	}
	next := received{report: r, at: now}
	if !r.Ready {
		next.unreadySince = now
		if !old.unreadySince.IsZero() && (r.Holds || !old.Holds) {
			next.unreadySince = old.unreadySince
		}
	}
	rs.byName[r.Name] = next
	if rs.seen != nil && !(known && r.is(old.report)) {
		rs.seen(otherwise(old.Observations, r.Observations))
	}
}

// otherwise names the services of servers that are seen otherwise.
func otherwise(before, now map[fsm.ServerKey]checks.Observation) []string {
	var services []string
	for key, o := range now {
		if was, ok := before[key]; !ok || was.Health != o.Health || was.Checks != o.Checks || was.Cause != o.Cause {
			services = append(services, key.Service)
		}
	}
	for key := range before {
		if _, ok := now[key]; !ok {
			services = append(services, key.Service)
		}
	}
	return services
}

// renew notes that what a member reported last is so at now, if that was its report of a number.
func (rs *reports) renew(name string, number uint32, now time.Time) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r, ok := rs.byName[name]; ok && number != 0 && r.Number == number {
		r.at = now
		rs.byName[name] = r
	}
}

// live returns the reports that still count at now, by name.
func (rs *reports) live(now time.Time) map[string]received {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	out := map[string]received{}
	for name, r := range rs.byName {
		if rs.counts(r, now) {
			out[name] = r
		}
	}
	return out
}

// wasStopped is why a director that has said that its agent ends can do nothing.
const wasStopped = "was stopped"

// stoppedLife is for how long that says why nothing comes of it. It may have been started again since, where no path leads
// from it to here: that is said of one that is silent for longer.
const stoppedLife = 5 * time.Minute

// stopped reports whether the last that came of a member is that its agent ends, and that was lately.
func (rs *reports) stopped(name string, now time.Time) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.byName[name]
	return r.Stopped && now.Sub(r.at) < stoppedLife
}

// lately reports whether a member that has not said that it stops was there and ready not long ago, or may have been, as far
// as one knows who has heard the others since opened.
func (rs *reports) lately(name string, opened, now time.Time) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.byName[name]
	if r.at.Before(opened) {
		r.at = opened
	}
	unready := !r.unreadySince.IsZero() && now.Sub(r.unreadySince) > latelyLimit
	return !r.Stopped && !unready && now.Sub(r.at) <= latelyLimit
}

// lost reports whether a member was heard of once, and is not any more.
func (rs *reports) lost(name string, now time.Time) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r, known := rs.byName[name]
	return known && (r.Stopped || !rs.counts(r, now))
}

// everyReport returns the live reports of the others, and this director's own.
func (s *session) everyReport(now time.Time) map[string]received {
	all := s.reports.live(now)
	all[s.cfg.Name] = received{report: s.report()}
	return all
}
