//go:build !race

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func program(m *testing.M) testscript.TestingM { return m }
