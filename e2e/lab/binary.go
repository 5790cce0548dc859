package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// binaryEnv builds quorate into dir, unless the environment names a binary, and returns what tells the
// tests where it is. A build that fails is told to the test that needs the binary, not to all.
func binaryEnv(dir string) []string {
	if os.Getenv(EnvBinary) != "" {
		return nil
	}
	path := filepath.Join(dir, "quorate")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/quorate")
	cmd.Dir = moduleRoot()
	if out, err := cmd.CombinedOutput(); err != nil {
		return []string{envBuildErr + "=" + fmt.Sprintf("build quorate: %v: %s", err, firstLines(string(out), 5))}
	}
	return []string{EnvBinary + "=" + path}
}

// binaryPath is the path of the quorate binary under test.
func binaryPath() (string, error) {
	path := os.Getenv(EnvBinary)
	if path == "" {
		if why := os.Getenv(envBuildErr); why != "" {
			return "", fmt.Errorf("no quorate binary: %s", why)
		}
		return "", fmt.Errorf("no quorate binary: set %s to its path", EnvBinary)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil { // seen by go test, which then runs again for a new binary
		return "", fmt.Errorf("quorate binary (%s): %w", EnvBinary, err)
	}
	return path, nil
}
