package zeitstrom_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// A certificate that has expired, or is not valid yet because this computer's
// clock is wrong, and a name that nobody knows: nothing was sent, so nothing is
// ambiguous, and the reason is told.
func TestNothingIsSentWithoutTrust(t *testing.T) {
	day := 24 * time.Hour
	for name, tc := range map[string]struct {
		from, to time.Duration
		want     string
	}{
		"expired": {-10 * day, -day, "one of the two is wrong: tls: failed to verify certificate: x509: " +
			"certificate has expired"},
		"clock wrong": {day, 10 * day, "the clock is wrong, set it (timedatectl)"},
	} {
		t.Run(name, func(t *testing.T) {
			server := &zeitstromtest.Server{}
			cert, ca := certificate(t, time.Now().Add(tc.from), time.Now().Add(tc.to))
			ts := httptest.NewUnstartedServer(server)
			ts.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
			ts.Config.ErrorLog = nil
			ts.StartTLS()
			defer ts.Close()
			refuses(t, ts.URL, ca, tc.want)
			if server.Requests() != 0 {
				t.Error("something was sent")
			}
		})
	}
	t.Run("DNS gone", func(t *testing.T) { refuses(t, "http://zeitstrom.invalid", "", "zeitstrom.invalid") })
	t.Run("nobody listens", func(t *testing.T) { refuses(t, "http://127.0.0.1:1", "", "connection refused") })
}

func refuses(t *testing.T, url, ca, want string) {
	t.Helper()
	c := zeitstrom.New(zeitstrom.Config{
		URL: url + zeitstromtest.Base, TokenFile: tokenFile(t, token), CAFile: ca, Timeout: 5 * time.Second,
	})
	_, err := c.Post(t.Context(), punch)
	var e *zeitstrom.Error
	if !errors.As(err, &e) || e.Kind != zeitstrom.Unreachable || e.Ambiguous() || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v (ambiguous: %v), want %q", err, e != nil && e.Ambiguous(), want)
	}
}

// certificate makes one for 127.0.0.1 and a file that makes it known.
func certificate(t *testing.T, from, to time.Time) (tls.Certificate, string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: to, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: secret}, file
}
