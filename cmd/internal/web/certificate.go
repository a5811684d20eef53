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
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"timeclock/device/durable"
)

// certificate loads the certificate that is given, or the clock's own, which is
// made when there is none.
func certificate(o Options) (tls.Certificate, error) {
	if o.CertFile != "" {
		return tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
	}
	cert, key := filepath.Join(o.StateDir, "web-cert.pem"), filepath.Join(o.StateDir, "web-key.pem")
	if pair, err := tls.LoadX509KeyPair(cert, key); err == nil {
		return pair, nil
	}
	// There is none, or a power cut has left half of one. One that cannot be saved is as
	// good until the program ends.
	certPEM, keyPEM, err := makeCertificate()
	if err != nil {
		return tls.Certificate{}, err
	}
	for path, content := range map[string][]byte{key: keyPEM, cert: certPEM} {
		if info, err := os.Lstat(path); err == nil && info.IsDir() {
			os.Remove(path)
		}
		durable.WriteFile(path, content)
	}
	return tls.X509KeyPair(certPEM, keyPEM)
}

// makeCertificate makes one that is valid from before any use of this program, since
// a Pi may wake with a wrong clock, until long after.
func makeCertificate() (cert, key []byte, err error) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "timeclock"
	}
	template := &x509.Certificate{
		IPAddresses:  addresses(),
		SerialNumber: serial, Subject: pkix.Name{CommonName: host},
		DNSNames:  []string{host, host + ".local", "localhost"},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

// addresses are those by which others reach this computer: the ones from which it
// would send to the internet. Nothing is sent; and no netlink is needed for it, as
// it would be to list them all.
func addresses() (ips []net.IP) {
	for _, somewhere := range []string{"192.0.2.1:9", "[2001:db8::1]:9", "127.0.0.1:9"} { // RFC 5737, RFC 3849
		if c, err := net.Dial("udp", somewhere); err == nil {
			ips = append(ips, c.LocalAddr().(*net.UDPAddr).IP)
			c.Close()
		}
	}
	return ips
}

// fingerprint is what a browser shows of a certificate.
func fingerprint(c tls.Certificate) string {
	if len(c.Certificate) == 0 {
		return ""
	}
	sum := sha256.Sum256(c.Certificate[0])
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}
