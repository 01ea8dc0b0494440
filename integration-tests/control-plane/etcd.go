package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
)

// etcd keeps one member in a directory and listens on a socket in it. Whoever may enter the directory may read and write everything,
// so it must be private; no port is open.
func etcd() int {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	directory := flags.String("data-dir", "", "directory for the data and the sockets client.sock and peer.sock")
	_ = flags.Parse(os.Args[1:])
	if *directory == "" {
		fmt.Fprintln(os.Stderr, "etcd: --data-dir is missing")
		return 2
	}
	if err := serve(*directory); err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		return 1
	}
	return 0
}

func serve(directory string) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	config := embed.NewConfig()
	config.Name = "control-plane"
	config.Dir = filepath.Join(directory, "member")
	config.LogLevel = "warn"
	// A test's data need not survive the machine; waiting for its disk would make every write as slow as the disk is.
	config.UnsafeNoFsync = true
	config.EnableGRPCGateway = false
	config.ListenClientUrls = []url.URL{{Scheme: "unix", Path: filepath.Join(directory, "client.sock")}}
	config.ListenPeerUrls = []url.URL{{Scheme: "unix", Path: filepath.Join(directory, "peer.sock")}}
	// A member must advertise a host and a port. Nobody asks for them.
	nowhere := []url.URL{{Scheme: "http", Host: "localhost:1"}}
	config.AdvertiseClientUrls, config.AdvertisePeerUrls = nowhere, nowhere
	config.InitialCluster = config.InitialClusterFromName(config.Name)

	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-stop:
		return nil
	case err := <-server.Err():
		return err
	}
}
