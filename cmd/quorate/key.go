package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
)

func keyCommand(c *cli) *cobra.Command {
	rotate := commands("rotate", "Put another key in the place of one, while the cluster runs",
		rotateCommand(c, "gossip", "Have the directors gossip by another key"),
		rotateCACommand(c))
	finish := commands("finish", "Drop a key that was rotated, though it may still be needed",
		finishCommand(c, "gossip", "Take the former gossip key no more"),
		finishCommand(c, "ca", "Trust the former CA no more; certificates and tokens that it signed end"))
	return commands("key", "Rotate the cluster's own keys", keyStatusCommand(c), rotate, finish)
}

func keyStatusCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show which keys the directors use, by their IDs, and what a rotation waits for",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ks, err := c.client().Keys(cmd.Context())
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), ks)
			}
			for i, k := range ks {
				if i > 0 {
					fmt.Fprintln(cmd.OutOrStdout())
				}
				if err := printKey(cmd.OutOrStdout(), k); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func rotateCommand(c *cli, what, short string) *cobra.Command {
	return &cobra.Command{
		Use:   what,
		Short: short,
		Args:  arguments(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.rotate(cmd, api.RotateRequest{What: what}) },
	}
}

func rotateCACommand(c *cli) *cobra.Command {
	var cert, key string
	cmd := rotateCommand(c, "ca", "Have another CA sign the directors' certificates, made by the cluster or brought")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		r := api.RotateRequest{What: "ca"}
		if cmd.Flags().Changed("ca-cert") != cmd.Flags().Changed("ca-key") {
			return errors.New("an own CA is a certificate and its key: both --ca-cert and --ca-key")
		}
		if cmd.Flags().Changed("ca-cert") {
			var err error
			if r.Cert, err = readFlag(cmd.Context(), "ca-cert", cert); err != nil {
				return err
			}
			if r.Key, err = readFlag(cmd.Context(), "ca-key", key); err != nil {
				return err
			}
			if hasKey(r.Key) {
				tellOpen(cmd.ErrOrStderr(), key, "sign for this cluster")
			}
		}
		return c.rotate(cmd, r)
	}
	cmd.Flags().StringVar(&cert, "ca-cert", "", "file with the certificate of an own CA, in PEM")
	cmd.Flags().StringVar(&key, "ca-key", "", "file with its key, in PEM, not encrypted: the cluster keeps it")
	return cmd
}

// readFlag reads the file that a flag names. An empty file is an error: it must not mean the same as no flag.
func readFlag(ctx context.Context, flag, path string) ([]byte, error) {
	if path == "" {
		return nil, fmt.Errorf("--%s is empty: it is to name a file", flag)
	}
	text, err := readFile(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fmt.Errorf("--%s: %s is empty", flag, path)
	}
	return text, otherPEM(flag, path, text)
}

// otherPEM returns an error if one of the two files of an own CA holds what belongs into the other one, or an encrypted key.
func otherPEM(flag, path string, text []byte) error {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		isKey := strings.HasSuffix(block.Type, "PRIVATE KEY")
		switch {
		case flag == "ca-cert" && isKey:
			return fmt.Errorf("--ca-cert: %s holds a private key: it is to hold the CA's certificate alone, and the file of --ca-key the key", path)
		case flag == "ca-key" && block.Type == "CERTIFICATE":
			return fmt.Errorf("--ca-key: %s holds a certificate: it is to hold the CA's private key alone, and the file of --ca-cert the certificate", path)
		case isKey && (block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED")):
			return fmt.Errorf("--ca-key: the key in %s is encrypted: `openssl pkey -in %s` prints it decrypted", path, path)
		}
	}
	return nil
}

func (c *cli) rotate(cmd *cobra.Command, r api.RotateRequest) error {
	r.Author = author()
	fate := "no rotation is known to have begun; `quorate key status` shows whether one has"
	say := progress(cmd.ErrOrStderr())
	err := c.client().RotateKey(cmd.Context(), r, func(step string) { // the first comes when it has begun
		fate = "the rotation goes on; `quorate key status` shows how far it is"
		say(step)
	})
	return interrupted(cmd.Context(), err, fate)
}

func finishCommand(c *cli, what, short string) *cobra.Command {
	var force, yes bool
	cmd := &cobra.Command{
		Use:   what,
		Short: short,
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := api.FinishRotationRequest{What: what, Force: force, Author: author()}
			e, err := c.ending(cmd.Context(), what, force)
			if err != nil {
				return err
			}
			if e.idle {
				fmt.Fprintf(cmd.ErrOrStderr(), "no rotation of the %s is under way: nothing to do\n", keyNames[what])
			}
			if len(e.what) > 0 && !yes {
				if err := confirm(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr(), e.question(), "not dropped"); err != nil {
					return err
				}
			}
			r.Ending = e.counted
			k, err := c.client().FinishRotation(cmd.Context(), r)
			if err != nil {
				return err
			}
			for _, text := range e.then {
				fmt.Fprintln(cmd.ErrOrStderr(), text)
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), k)
			}
			return printKey(cmd.OutOrStdout(), k)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "though a director is away, or uses it still")
	if what == "ca" {
		cmd.Flags().BoolVar(&yes, "yes", false, "do not ask, whatever ends with it")
	}
	return cmd
}

// keyNames are what people call the keys that are rotated.
var keyNames = map[string]string{"gossip": "gossip key", "ca": "CA"}

// ending is what ends with a former CA, and what is to be done then.
type ending struct {
	former     string
	idle       bool // no rotation is under way, as far as is known
	counted    bool // certificates or tokens end
	what, then []string
}

func (e ending) question() string {
	return "with CA " + e.former + " " + strings.Join(e.what, ", and ") + ": drop it?"
}

// ending finds out what ends when a rotation is finished: certificates and tokens of the former CA. With another key nothing ends.
func (c *cli) ending(ctx context.Context, what string, force bool) (ending, error) {
	ks, err := c.client().Keys(ctx)
	if err != nil {
		return ending{}, err
	}
	for _, k := range ks {
		if k.What == what && !k.UnderWay {
			return ending{idle: true}, nil
		}
		if k.What == what && what == "ca" && k.Former != "" {
			return endingWith(k, force, c.client().CA() == k.Former), nil
		}
	}
	return ending{}, nil
}

// endingWith says what ends with the former CA; mine is whether it has signed the certificate that asks.
func endingWith(k api.KeyStatus, force, mine bool) ending {
	e := ending{former: k.Former, counted: k.Certificates+k.Tokens > 0}
	if e.counted {
		e.what = append(e.what, fmt.Sprintf("end %s of people and programs, and %s", count(k.Certificates, "certificate"), count(k.Tokens, "token")))
	}
	if mine {
		e.what = append(e.what, "the certificate that asks is one of them")
		e.then = append(e.then, "the certificate that asked has ended with it: `quorate cert create` on a director makes another")
	}
	for _, d := range k.Directors {
		if force && !d.Answers {
			e.what = append(e.what, d.Name+", which does not answer, has to leave and join again")
			e.then = append(e.then, d.Name+" does not know the CA and has to leave and join again: `quorate leave --force` there, `quorate remove "+d.Name+"` here, and a new token")
		}
	}
	return e
}

// printKey shows who uses which key.
func printKey(w io.Writer, k api.KeyStatus) error {
	fmt.Fprintf(w, "%s %s%s%s\n", k.What, k.Present, until(k.Ends, time.Now()), rotation(k))
	return table(w, func(w io.Writer) {
		fmt.Fprintln(w, "  DIRECTOR\tUSES")
		for _, d := range k.Directors {
			uses := dash(d.Uses)
			if !d.Answers {
				uses = "does not answer"
			}
			fmt.Fprintf(w, "  %s\t%s\n", d.Name, uses)
		}
	})
}

// until says when a key ends, to the second where that is less than a day away.
func until(at, now time.Time) string {
	switch {
	case at.IsZero():
		return ""
	case !now.Before(at):
		return ", which ended on " + at.Local().Format(time.DateTime)
	case at.Before(now.AddDate(0, 0, 1)):
		return ", which ends at " + at.Local().Format(time.DateTime)
	}
	return ", which ends on " + at.Local().Format(time.DateOnly)
}

// rotation says how far a rotation is and what it waits for, if there is one.
func rotation(k api.KeyStatus) string {
	switch {
	case k.Next != "":
		return ": " + k.Next + " follows it once every director that answers takes it"
	case k.Former != "" && len(k.WaitsFor) > 0:
		return ": " + k.Former + " is still taken, since " + strings.Join(k.WaitsFor, "; ")
	case k.Former != "":
		return ": " + k.Former + " is still taken"
	}
	return ""
}
