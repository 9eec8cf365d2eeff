//go:build !linux

package load

func usage() spent { return spent{} }
