package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"
)

// leastPassphrase is how many characters a new one must have.
const leastPassphrase = 10

// passphrase reads one from a file, or asks for it; a new one twice.
func (c *call) passphrase(ctx context.Context, file string, fresh bool) (string, error) {
	var text string
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("the passphrase: %w", err)
		}
		text = strings.TrimRight(string(b), "\r\n")
	} else {
		if !onTerminal(c.stdin) {
			return "", fmt.Errorf("%w: nobody can be asked for the passphrase: name a file with -passphrase-file",
				errUsage)
		}
		var err error
		if text, err = c.typed(ctx, "Passphrase (it does not show): ", true); err != nil {
			return "", err
		}
		if fresh {
			again, err := c.typed(ctx, "Once more: ", true)
			if err != nil {
				return "", err
			}
			if again != text {
				return "", errors.New("these were two different ones: nothing was made")
			}
		}
	}
	if fresh && utf8.RuneCountInString(text) < leastPassphrase {
		return "", fmt.Errorf("the passphrase must have at least %d characters: four or five words, say",
			leastPassphrase)
	}
	return text, nil
}
