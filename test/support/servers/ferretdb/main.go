// FerretDB 1.24 on SQLite, as a program: its own command cannot be installed by `go install`.
//
//	ferretdb 127.0.0.1:27017 file:data/
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	config := ferretdb.Config{Handler: "sqlite", SQLiteURL: os.Args[2]}
	config.Listener.TCP = os.Args[1]
	server, err := ferretdb.New(&config)
	if err != nil {
		log.Fatal(err)
	}
	ended, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := server.Run(ended); err != nil {
		log.Fatal(err)
	}
}
