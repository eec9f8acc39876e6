// Command serve runs an OpenID provider until it is ended, for where a browser logs in there.
package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/lxdfleet/lxdfleet/internal/openid/openidtest"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: serve REDIRECT CERTIFICATE-FILE SECRET-FILE")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

// run writes the files that its client needs, and prints its address.
func run(redirect, certificate, secret string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := openidtest.Open(
		redirect,
		openidtest.User{Subject: "1", Username: "olga", Email: "olga@agency.example", FirstName: "Olga", Verified: true, Groups: []string{"ops"}},
		openidtest.User{Subject: "2", Username: "eve", Email: "eve@elsewhere.example", FirstName: "Eve", Verified: true},
	)
	defer p.Close()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate()})
	if err := os.WriteFile(certificate, text, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(secret, []byte(openidtest.Secret), 0o600); err != nil {
		return err
	}
	fmt.Println(p.Issuer)
	<-ctx.Done()
	return nil
}
