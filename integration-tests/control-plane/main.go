// One program with the components of a genuine Kubernetes control plane: kube-apiserver, kube-controller-manager, kube-scheduler,
// the etcd that they store things in, and kubectl.
//
// A process is one component: it is chosen by the program's name or its first argument, before any of them is constructed, because
// they share flags and feature gates that are global. Nothing of Kubernetes is changed here.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
	_ "time/tzdata" // time zones of CronJobs

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

var components = map[string]func() int{
	"kube-apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() int { return cli.Run(controllermanager.NewControllerManagerCommand()) },
	"kube-scheduler":          func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
	"etcd":                    etcd,
	"kubectl":                 kubectl,
}

func main() {
	component, ok := components[filepath.Base(os.Args[0])]
	if !ok && len(os.Args) > 1 {
		// The component sees its own name and its own arguments, as if it were a program of its own.
		component, ok = components[os.Args[1]]
		os.Args = os.Args[1:]
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: control-plane kube-apiserver|kube-controller-manager|kube-scheduler|etcd|kubectl [ARGUMENT...]")
		os.Exit(2)
	}
	if os.Getenv("CONTROL_PLANE_TETHERED") != "" {
		go untether()
	}
	os.Exit(component())
}

// Ends this process as soon as the one that started it has, however that ended: it holds the other end of the standard input.
func untether() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
	time.Sleep(5 * time.Second)
	os.Exit(1)
}
