package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/agent"
	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
)

// defaultConfig is where the agent file is, unless told otherwise.
const defaultConfig = "/etc/quorate/agent.hcl"

func agentCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run this director's control process; starts the keeper if none is there",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := loadAgent(cmd.Context(), file, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer sitThroughHangups(log)()
			return runAgent(cmd.Context(), cfg, file, log)
		},
	}
	cmd.Flags().StringVar(&file, "config", defaultConfig, "agent file")
	return cmd
}

// loadAgent reads the agent file, tells every problem in it, and makes the log that it asks for.
func loadAgent(ctx context.Context, file string, errOut io.Writer) (config.Agent, hclog.Logger, error) {
	src, err := readFile(ctx, file)
	if errors.Is(err, fs.ErrNotExist) {
		return config.Agent{}, nil, fmt.Errorf("no agent file %s: write one, of name, bind and interfaces, or say with --config where it is", file)
	}
	if err != nil {
		return config.Agent{}, nil, fmt.Errorf("agent file: %w", err)
	}
	cfg, problems := config.ParseAgent(file, src)
	for _, p := range problems {
		fmt.Fprintln(errOut, p)
	}
	if problems.Err() != nil {
		return config.Agent{}, nil, exitCode(exitError)
	}
	log := hclog.New(&hclog.LoggerOptions{
		Name: "quorate", Level: hclog.LevelFromString(cfg.LogLevel), Output: os.Stderr,
	})
	return cfg, log, nil
}

func runAgent(ctx context.Context, cfg config.Agent, file string, log hclog.Logger) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("own program: %w", err)
	}
	keeper := []string{self, "keeper", "--config", file}
	if os.Getenv("QUORATE_KEEPER") == "external" { // it has a systemd unit of its own
		keeper = nil
	}
	if err := setSlack(controlSlack); err != nil {
		log.Debug("an idle agent costs more than it could", "err", err)
	}
	a := agent.New(agent.Config{
		File:       cfg,
		KeeperArgv: keeper,
		Version:    version,
		Log:        log,
		Ready:      func() { notify(log, daemon.SdNotifyReady) },
	})
	log.Info("agent starts", "version", version, "name", cfg.Name)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, life := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer cancel()
		return a.Run(life)
	})
	group.Go(func() error {
		return watchdog(life, log, func(ctx context.Context) error {
			_, err := api.NewClient(cfg.Socket).Status(ctx)
			return err
		})
	})
	err = group.Wait()
	notify(log, daemon.SdNotifyStopping)
	return err
}

// watchdog tells systemd that this process is well, as often as it wants to be told.
func watchdog(ctx context.Context, log hclog.Logger, well func(context.Context) error) error {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return nil // nobody asks
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		try, cancel := context.WithTimeout(ctx, every/3)
		err := well(try)
		cancel()
		if err != nil {
			log.Warn("not well, so systemd is not told otherwise", "err", err)
			continue
		}
		notify(log, daemon.SdNotifyWatchdog)
	}
}

func notify(log hclog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd not told", "state", state, "err", err)
	}
}
