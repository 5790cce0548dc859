package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/agent"
	"github.com/quorate/quorate/director/accept"
	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/ipvs/quiet"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/probe"
)

// handOverLimit is how long a keeper that is told to stop waits for control to hand its addresses over: as long as control
// takes for moves, in the middle of which it would say goodbye otherwise, and to give up what did not move. Where nobody can
// take over, control begins anew as soon as somebody can: what begins late the goodbye may cut off.
const handOverLimit = agent.StopLimit

func keeperCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "keeper",
		Short: "Run this director's keeper process: VRRP and the addresses",
		Args:  arguments(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return runKeeper(cmd.Context(), file, cmd.ErrOrStderr()) },
	}
	cmd.Flags().StringVar(&file, "config", defaultConfig, "agent file")
	return cmd
}

func runKeeper(ctx context.Context, file string, errOut io.Writer) error {
	cfg, log, err := loadAgent(ctx, file, errOut)
	if err != nil {
		return err
	}
	log = log.Named("keeper")
	record := filepath.Join(cfg.DataDir, "keeper.json")
	distrust := agent.CloseRecord(record, log)
	defer sitThroughHangups(log)()
	if err := setSlack(keeperSlack); err != nil {
		log.Debug("adverts may be a moment later than they could", "err", err)
	}
	host, err := address.New(address.Config{Log: log})
	if err != nil {
		return unprivileged(err)
	}
	defer host.Close()
	screen := accept.New()
	defer screen.Close()
	guard := quiet.New()
	defer guard.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, life := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer cancel()
		return keeper.Run(life, keeper.Config{
			Socket:   cfg.KeeperSocket,
			Record:   record,
			Distrust: distrust,
			Host:     breakable(host),
			Screen:   screen,
			Quiet:    breakableQuiet(guard),
			Who:      breakableWho(probe.AskEach),
			Log:      log,
			Release:  true,
			HandOver: handOverLimit,
			RealTime: true,
		})
	})
	group.Go(func() error {
		well := func(ctx context.Context) error { return keeperAnswers(ctx, cfg.KeeperSocket) }
		for well(life) != nil {
			select {
			case <-life.Done():
				return nil
			case <-time.After(10 * time.Millisecond):
			}
		}
		notify(log, daemon.SdNotifyReady)
		return watchdog(life, log, well)
	})
	return group.Wait()
}

// unprivileged says what a keeper lacks that may not do what it has to, and how to give it that.
func unprivileged(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: the keeper needs CAP_NET_ADMIN and CAP_NET_RAW; run it as root, or as the systemd unit does (`systemctl start quorate-keeper`)", err)
	}
	return err
}

// keeperAnswers asks the keeper that serves a socket for its status.
func keeperAnswers(ctx context.Context, socket string) error {
	c, err := keeper.Dial(socket)
	if err != nil {
		return err
	}
	_, err = c.Status(ctx)
	return errors.Join(err, c.Close())
}
