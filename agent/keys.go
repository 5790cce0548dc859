package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

// Timing of who watches a rotation. A director that has not answered for rotationAway is away.
const (
	rotationLook  = 250 * time.Millisecond
	rotationAway  = 2 * time.Second
	rotationLimit = time.Minute
)

// Keys implements [api.Agent].
func (a *Agent) Keys(ctx context.Context) ([]api.KeyStatus, error) {
	s, err := a.current()
	if err != nil {
		return nil, err
	}
	var all []api.KeyStatus
	for _, k := range s.node.AllKeys(ctx, fsm.RotatesGossip, fsm.RotatesCA) {
		all = append(all, keyStatus(k))
	}
	return all, nil
}

func keyStatus(k pki.KeyStatus) api.KeyStatus {
	out := api.KeyStatus{What: k.What, Present: k.Present, Next: k.Next, Former: k.Former, UnderWay: k.UnderWay, Directors: []api.KeyUse{}, Ends: k.Ends, Certificates: k.Certificates, Tokens: k.Tokens}
	for _, m := range k.Members {
		out.Directors = append(out.Directors, api.KeyUse{Name: m.Name, Answers: m.Answers, Uses: m.Uses})
	}
	if k.Former != "" {
		out.WaitsFor = k.Waits()
	}
	return out
}

// RotateKey implements [api.Agent]. The rotation goes on by itself once it has begun; who asked is told how far it is,
// until it is over or waits for a director that is away.
func (a *Agent) RotateKey(ctx context.Context, r api.RotateRequest, p api.Progress) error {
	s, err := a.current()
	if err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var begun bool
	switch r.What {
	case fsm.RotatesGossip:
		begun, err = s.node.RotateGossip(asking, s.author(ctx, r.Author))
	case fsm.RotatesCA:
		if err := emptyCA(r); err != nil {
			return err
		}
		begun, err = s.node.RotateCA(asking, r.Cert, r.Key, s.author(ctx, r.Author))
	default:
		err = unknownKey(r.What)
	}
	if err != nil {
		return err
	}
	if _, underWay := s.node.State().Secrets().Rotation(r.What); !begun && underWay {
		p("a rotation is under way already, and goes on")
	}
	if why := endsSoon(r.Cert, s.node.State().Level, time.Now()); begun && why != "" {
		p("it is taken; `quorate status` warns from now on: " + why)
	}
	return s.watchRotation(ctx, r.What, p)
}

// emptyCA says what is empty of an own CA that is brought, or is nil.
func emptyCA(r api.RotateRequest) error {
	switch {
	case r.Cert == nil && r.Key == nil:
		return nil
	case len(r.Cert) == 0:
		return errors.New("the certificate of the own CA is empty")
	case len(r.Key) == 0:
		return errors.New("the key of the own CA is empty")
	}
	return nil
}

// endsSoon says of an own CA that `quorate status` will warn of its end at once, or is empty.
func endsSoon(cert []byte, level int, now time.Time) string {
	ca, err := pki.ParseCertificate(cert)
	if err != nil {
		return "" // none was brought
	}
	return oldCA(pki.Certificate{CAEnds: ca.NotAfter}, level, now)
}

// watchRotation tells how far a rotation is until there is no more to wait for.
func (s *session) watchRotation(ctx context.Context, what string, p api.Progress) error {
	ctx, cancel := context.WithTimeout(ctx, rotationLimit)
	defer cancel()
	said, all := "", time.Now() // when all that is waited for answered
	for {
		k := s.node.Keys(ctx, what)
		if text := k.String(); text != said && ctx.Err() == nil {
			said = text
			p(text)
		}
		others, silent, halted := k.Without()
		away := len(silent)+len(halted) > 0
		switch {
		case !k.UnderWay:
			p("every director uses " + k.Present + " alone")
			return nil
		case k.Former != "" && len(others) == 0 && len(k.Waits()) > 0:
			if !away || time.Since(all) >= rotationAway {
				p(fmt.Sprintf("%s is taken as long as %s; `%s` ends that before", k.Former, strings.Join(k.Waits(), "; "), finishes(what, away)))
				return nil
			}
		default:
			all = time.Now()
		}
		if !sleep(ctx, rotationLook) {
			return fmt.Errorf("%s; it goes on, and `quorate key status` says what it waits for: %w", said, ctx.Err())
		}
	}
}

// finishes is the command that drops a former key now; of who is away it has to be forced.
func finishes(what string, away bool) string {
	command := "quorate key finish " + what
	if away {
		command += " --force"
	}
	return command
}

// FinishRotation implements [api.Agent].
func (a *Agent) FinishRotation(ctx context.Context, r api.FinishRotationRequest) (api.KeyStatus, error) {
	s, err := a.current()
	if err != nil {
		return api.KeyStatus{}, err
	}
	if r.What != fsm.RotatesGossip && r.What != fsm.RotatesCA {
		return api.KeyStatus{}, unknownKey(r.What)
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if err := s.node.FinishRotation(ctx, r.What, r.Force, r.Ending, s.author(ctx, r.Author)); err != nil {
		return api.KeyStatus{}, err
	}
	return keyStatus(s.node.Keys(ctx, r.What)), nil
}

func unknownKey(what string) error {
	return fmt.Errorf("%q cannot be rotated: %s and %s can", what, fsm.RotatesGossip, fsm.RotatesCA)
}
