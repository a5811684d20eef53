package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// certificate loads the certificate that is given, or the clock's own, which is
// made when there is none.
func certificate(o Options) (tls.Certificate, error) {
	if o.CertFile != "" {
		return tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
	}
	cert, key := filepath.Join(o.StateDir, "web-cert.pem"), filepath.Join(o.StateDir, "web-key.pem")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return pair, err
	}
	if err := makeCertificate(cert, key); err != nil {
		return pair, err
	}
	return tls.LoadX509KeyPair(cert, key)
}

// makeCertificate makes one that is valid for twenty years: from before any clock
// of a Pi that woke up wrong, and for browsers that are told once to trust it.
func makeCertificate(certFile, keyFile string) error {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "timeclock"
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: host}, DNSNames: []string{host, host + ".local", "localhost"},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return err
	}
	err = os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600)
	return errors.Join(err, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
}

// fingerprint is what a browser shows of a certificate.
func fingerprint(c tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}
