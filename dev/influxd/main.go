// Command influxd is a real InfluxDB 2 server for the demo and the tests, built from the published Go module.
package main

import (
	"context"
	"fmt"
	"os"

	influxdb "github.com/influxdata/influxdb/v2"
	"github.com/influxdata/influxdb/v2/cmd/influxd/launcher"
	_ "github.com/influxdata/influxdb/v2/tsdb/engine/tsm1" // registers the storage engine
	_ "github.com/influxdata/influxdb/v2/tsdb/index/tsi1"  // registers the index
	"github.com/spf13/viper"
)

// version is what /health reports; it is set by the build to the module's version in go.mod.
var version = "v2.9.1"

func main() {
	influxdb.SetBuildInfo(version, "none", "")
	// The command initialises Flux itself: a second initialisation would panic.
	command, err := launcher.NewInfluxdCommand(context.Background(), viper.New())
	if err == nil {
		command.SilenceUsage = true
		err = command.Execute()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
