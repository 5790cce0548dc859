package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/durable"
	"github.com/quorate/quorate/fsm"
)

// days is a duration that may be written in days: 30d.
type days time.Duration

func (d *days) String() string {
	if day := days(24 * time.Hour); *d%day == 0 {
		return strconv.Itoa(int(*d/day)) + "d"
	}
	return time.Duration(*d).String()
}

func (d *days) Set(text string) error {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		count, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			return fmt.Errorf("%q is no number of days", text)
		}
		*d = days(count) * days(24*time.Hour)
		return nil
	}
	v, err := time.ParseDuration(text)
	*d = days(v)
	return err
}

func (d *days) Type() string { return "duration" }

// remote returns a client of the director that the flags name, or nil if they name none.
func (c *cli) remote(ctx context.Context) (*api.Client, error) {
	if c.address == "" {
		return nil, nil
	}
	if c.cert == "" {
		return nil, fmt.Errorf("no certificate to be known by at %s: --cert FILE or QUORATE_CERT, which `quorate cert create` makes", c.address)
	}
	bundle, err := readFile(ctx, c.cert)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if hasKey(bundle) {
		tellOpen(c.errOut, c.cert, "ask as its holder")
	}
	address := c.address
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), strconv.Itoa(cluster.DefaultPort))
	}
	client, err := api.NewRemoteClient(address, bundle)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", c.cert, err)
	}
	return client, nil
}

func certCommand(c *cli) *cobra.Command {
	list := &cobra.Command{
		Use:   "list",
		Short: "List the certificates that were made for people and programs",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ts, err := c.client().Tokens(cmd.Context())
			if err != nil {
				return err
			}
			return printTokens(cmd.OutOrStdout(), c, "HOLDER", only(ts, true))
		},
	}
	revoke := revokeCommand(c, "Make a certificate useless, on every director that hears of it")
	return commands("cert", "Make, list and revoke certificates of people and programs", createCert(c), list, revoke)
}

func createCert(c *cli) *cobra.Command {
	var (
		role, out string
		force     bool
	)
	lifetime := days(30 * 24 * time.Hour)
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a key and a certificate for it, by which NAME asks any director from elsewhere",
		Args:  arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			drop, err := newFile(out, force)
			if err != nil {
				return err
			}
			defer drop()
			key, csr, err := api.NewKey()
			if err != nil {
				return err
			}
			cert, err := c.client().CreateCertificate(cmd.Context(), api.CertificateRequest{Name: args[0], Role: role, Lifetime: time.Duration(lifetime), CSR: csr})
			if err != nil {
				return err
			}
			if out != "" {
				if err := durable.Write(out, cert.Bundle(key), 0o600); err != nil {
					return fmt.Errorf("certificate %s was made, and could not be kept: %w; `quorate cert revoke %s` takes it back", cert.ID, err, cert.ID)
				}
			}
			if c.json() {
				made := map[string]any{"id": cert.ID, "expires": cert.Expires}
				if out == "" {
					made["bundle"] = string(cert.Bundle(key))
				}
				return printJSON(cmd.OutOrStdout(), made)
			}
			// The key and the certificate alone are what programs read; who looks on is told how to take it back.
			fmt.Fprintf(cmd.ErrOrStderr(), "certificate %s of %s (%s) is good until %s; `quorate cert revoke %s` takes it back\n",
				cert.ID, args[0], role, cert.Expires.Local().Format(time.DateTime), cert.ID)
			if out != "" {
				return nil
			}
			_, err = cmd.OutOrStdout().Write(cert.Bundle(key))
			return err
		},
	}
	cmd.Flags().StringVar(&role, "role", string(fsm.RoleViewer), "viewer, operator or admin")
	cmd.Flags().Var(&lifetime, "lifetime", "how long it is good, a year at most")
	cmd.Flags().StringVar(&out, "out", "", "file to write it into, with mode 0600, and not to standard output")
	cmd.Flags().BoolVar(&force, "force", false, "write the file though it is there: its key is gone then")
	return cmd
}

// only returns the tokens by which directors join, or the records of certificates.
func only(ts []api.TokenInfo, certificates bool) []api.TokenInfo {
	out := []api.TokenInfo{}
	for _, t := range ts {
		if fsm.Role(t.Role).Asks() == certificates {
			out = append(out, t)
		}
	}
	return out
}

func printTokens(w io.Writer, c *cli, user string, ts []api.TokenInfo) error {
	if c.json() {
		return printJSON(w, ts)
	}
	return table(w, func(w io.Writer) {
		fmt.Fprintln(w, "ID\tROLE\tEXPIRES\tCA\t"+user)
		for _, t := range ts {
			name, _, _ := strings.Cut(t.UsedBy, "/") // behind it is the ID
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.ID, t.Role, t.Expires.Local().Format(time.DateTime), dash(t.CA), dash(name))
		}
	})
}
