package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Network is the way to a server.
type Network struct {
	URL   string
	Roots *x509.CertPool // nil: the system's
}

// Bounds of the way.
const (
	dnsTime = 5 * time.Second
	tlsTime = 10 * time.Second
	// soon is when a certificate that ends should have been renewed.
	soon = 7 * 24 * time.Hour
)

// Look goes the way step by step: name, proxy, connection. The first step that fails is
// the last one. It reports whether somebody answers at the other end.
func (n Network) Look(ctx context.Context) (findings []Finding, answers bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, n.URL, nil)
	if err != nil {
		return []Finding{{"dns", Fail, err.Error(), "mend zeitstrom.url"}}, false
	}
	host := req.URL.Hostname()
	proxy, err := http.ProxyFromEnvironment(req)
	switch {
	case err != nil:
		return []Finding{{
			"proxy", Fail, err.Error(), "mend HTTPS_PROXY in the unit's environment: systemctl edit timeclock",
		}}, false
	case proxy != nil:
		host = proxy.Hostname()
	}
	findings = append(findings, name(ctx, host))
	if findings[0].Verdict == Fail {
		return findings, false
	}
	if proxy != nil {
		findings = append(findings, through(ctx, proxy))
	} else {
		findings = append(findings, Good("proxy", "none is set"))
	}
	if findings[1].Verdict == Fail {
		return findings, false
	}
	last := n.connect(req)
	return append(findings, last), last.Verdict != Fail
}

func name(ctx context.Context, host string) Finding {
	ctx, stop := context.WithTimeout(ctx, dnsTime)
	defer stop()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	var e *net.DNSError
	switch {
	case errors.As(err, &e) && e.IsNotFound:
		return Finding{
			"dns", Fail, fmt.Sprintf("the name server does not know %s", host),
			"is the name in the settings right? In a closed network its administrator must let the name through",
		}
	case err != nil:
		return Finding{
			"dns", Fail, fmt.Sprintf("no name server answers for %s: %v", host, err),
			"is the cable in, is the Wi-Fi joined (nmcli device)? Does /etc/resolv.conf name a server?",
		}
	}
	return Good("dns", "%s has the address %s", host, addresses[0])
}

func through(ctx context.Context, proxy *url.URL) Finding {
	port := proxy.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080"}[proxy.Scheme]
	}
	dialer := net.Dialer{Timeout: dnsTime}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(proxy.Hostname(), port))
	if err != nil {
		return Finding{
			"proxy", Fail, fmt.Sprintf("%s does not answer: %v", proxy.Redacted(), err),
			"is the proxy in the unit's environment still the right one?",
		}
	}
	conn.Close()
	return Good("proxy", "%s answers", proxy.Redacted())
}

// connect asks the server for anything; that it answers at all is enough.
func (n Network) connect(req *http.Request) Finding {
	client := http.Client{
		Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: n.Roots},
			DisableKeepAlives: true,
		},
		Timeout:       tlsTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return refused(err)
	}
	resp.Body.Close()
	if resp.TLS == nil {
		return Finding{"tls", Warn, "the connection is not encrypted", "use https:// in zeitstrom.url"}
	}
	cert := resp.TLS.PeerCertificates[0]
	if left := time.Until(cert.NotAfter); left < soon {
		return Finding{
			"tls", Warn, fmt.Sprintf("the server's certificate ends on %s", cert.NotAfter.Format(time.DateOnly)),
			"whoever runs the server must renew it",
		}
	}
	return Good("tls", "%s, certified by %s until %s", tls.VersionName(resp.TLS.Version), cert.Issuer,
		cert.NotAfter.Format(time.DateOnly))
}

// refused says why there is no connection.
func refused(err error) Finding {
	var around *url.Error
	if errors.As(err, &around) { // says again what was asked for
		err = around.Err
	}
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var other x509.HostnameError
	switch {
	case errors.As(err, &unknown) && unknown.Cert != nil:
		return Finding{
			"tls", Fail,
			fmt.Sprintf("nobody vouches for the server's certificate, which is by %s", unknown.Cert.Issuer),
			"if that is your company's proxy, put its certificate into a file and name that in zeitstrom.ca_file; " +
				"else somebody listens",
		}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Finding{
			"tls", Fail,
			fmt.Sprintf("the server's certificate is not valid at this clock's time, %s",
				time.Now().Format(time.DateTime)),
			"is the time right (timedatectl)? If it is, whoever runs the server must renew the certificate",
		}
	case errors.As(err, &other):
		return Finding{"tls", Fail, err.Error(), "the network leads somewhere else, a log-in page perhaps: " +
			"open a page in a browser there, or ask the network's administrator"}
	}
	return Finding{"tls", Fail, err.Error(), "is there a firewall on the way? Port 443 to the server must be open"}
}
